"""``sluice calibrate``: settings that suit a model and this machine."""

from pathlib import Path
from typing import Annotated

import typer


def calibrate(
    out: Annotated[Path, typer.Option(help="File to write the profile to. Set SLUICE_PROFILE to it.")] = Path(
        "profile.json"
    ),
    model: Annotated[Path | None, typer.Option(help="Folder of a compiled model. Default: SLUICE_MODEL.")] = None,
    price: Annotated[float, typer.Option(min=0, help="Price of one core for one hour.")] = 0.04,
) -> None:
    """Measure a model on this machine and write the fastest settings to a profile. Takes one to two minutes.

    It tries compute types, threads, replicas and batch sizes. It also fits the cost model that the worker uses to form
    batches and to refuse queries that would miss their deadline. Run it on an idle machine, in the environment of the
    worker.

    Example: `sluice calibrate --out profile.json`, then `SLUICE_PROFILE=profile.json sluice worker`
    """
    from sluicegate.agents.cli.calibrate_run import calibrate_model
    from sluicegate.agents.settings import load_settings

    calibrate_model(load_settings(model=model), out, price)
