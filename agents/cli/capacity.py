"""``sluice capacity``: how many workers a stream needs."""

from pathlib import Path
from typing import Annotated

import typer


def capacity(
    rate: Annotated[float, typer.Option(min=0.001, help="Events a second at the busiest time.")],
    p99: Annotated[float, typer.Option(min=1, help="Milliseconds within which 99 of 100 are decided.")] = 200,
    profile: Annotated[
        Path | None, typer.Option(help="What `sluice calibrate` wrote on such a machine. Default: SLUICE_PROFILE.")
    ] = None,
    cores: Annotated[
        int | None, typer.Option(min=1, help="Cores of one worker. Default: those that the profile's engine uses.")
    ] = None,
    tokens: Annotated[int, typer.Option(min=1, help="Tokens of a query, on average.")] = 10,
    readings: Annotated[float, typer.Option(min=1, help="Texts that are judged for each event, on average.")] = 1.3,
    pipeline_ms: Annotated[
        float, typer.Option(min=0.01, help="Milliseconds of a core that an event takes besides the model.")
    ] = 1.6,
    overhead_ms: Annotated[
        float, typer.Option(min=0, help="Milliseconds that Kafka and the pipeline add to the p99: measure yours.")
    ] = 20,
    second_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the events that a second model is asked about.")
    ] = 0,
    second_profile: Annotated[Path | None, typer.Option(help="The profile of the second model.")] = None,
    spare: Annotated[int, typer.Option(min=0, help="Workers that may be missing, as in a rolling upgrade.")] = 1,
    price: Annotated[float, typer.Option(min=0, help="Price of one core for one hour.")] = 0.04,
    currency: Annotated[str, typer.Option(help="Of that price.")] = "USD",
    model_gb: Annotated[float, typer.Option(min=0, help="Memory of the models beyond the embedded one, in GB.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Plan a stream: workers, partitions, memory, and what they cost a month.

    The profile says what a batch of the model takes on one machine; the rest is arithmetic and a simulation of random
    arrivals. docs/capacity.md has the formula, and how well it agrees with a measured run.

    Example: `sluice calibrate --out profile.json`, then `sluice capacity --rate 2000 --p99 200 --profile profile.json`.
    With `--second-share 0.12 --second-profile second.json`: what if a second model is asked about 12 % of the events?
    """
    from sluicegate.agents.cli.capacity_plan import Price, print_plan
    from sluicegate.agents.settings import load_settings
    from sluicegate.models.capacity_plan import Worker
    from sluicegate.models.profile import Profile

    if (second_share > 0) != (second_profile is not None):
        raise typer.BadParameter("--second-share and --second-profile need each other")
    given = profile or load_settings().profile
    if given is None:
        raise typer.BadParameter("name a profile: `sluice calibrate --out profile.json`, then --profile profile.json")
    first = Profile.read(given)
    worker = Worker(
        profile=first,
        cores=cores or first.threads * first.replicas,
        tokens=tokens,
        readings=readings,
        second=Profile.read(second_profile) if second_profile else None,
        share=second_share,
        pipeline_ms=pipeline_ms,
        overhead_ms=overhead_ms,
    )
    given_price = Price(price, currency)
    print_plan(worker, rate=rate, p99_ms=p99, spare=spare, price=given_price, model_gb=model_gb, as_json=as_json)
