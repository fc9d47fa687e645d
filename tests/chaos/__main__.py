"""Inject each fault in turn and check that no event is lost: ``python -m tests.chaos`` prints a table.

It runs three Apache Kafka brokers on loopback (Java 17 or newer; Maven the first time), workers with a scripted model,
and a producer at a steady rate. It exits with 1 if an event is lost, has a wrong outcome, or has an output whose
`event_id` is unknown.
"""

import sys
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer
from confluent_kafka import KafkaException
from rich.console import Console
from rich.table import Table

from sluicegate.agents.cli.table_console import table_console
from tests.chaos.faults import FAULTS, TWENTY_KILLS, random_mix
from tests.chaos.proxy import Proxies
from tests.chaos.scenario import Fault, ScenarioResult, run
from tests.support.kafka_cluster import ApacheKafka, available


def main(
    fault: Annotated[list[str] | None, typer.Option(help="Inject only this fault; repeat for more.")] = None,
    events: Annotated[int, typer.Option(min=100, help="Events of each scenario.")] = 8_000,
    rate: Annotated[float, typer.Option(min=1, help="Events per second.")] = 400,
    mixes: Annotated[int, typer.Option(min=0, help="Scenarios of four random faults.")] = 2,
    kills: Annotated[int, typer.Option(min=0, help="Events of the scenario that kills workers twenty times.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the events and of the random faults.")] = 1,
    logs: Annotated[Path | None, typer.Option(help="Folder for the workers' logs. Default: a temporary one.")] = None,
) -> None:
    """Run a scenario for each fault, then random mixes, and print a table."""
    reason = available()
    if reason:
        sys.exit(f"no real Kafka: {reason}")
    unknown = set(fault or []) - FAULTS.keys()
    if unknown:
        sys.exit(f"unknown faults: {', '.join(sorted(unknown))}; known are {', '.join(FAULTS)}")
    plan: list[tuple[str, Fault, int]] = [(name, FAULTS[name], events) for name in fault or FAULTS]
    if not fault:
        plan += [(f"mix {number}", random_mix(seed + number), events) for number in range(1, mixes + 1)]
        plan += [("worker killed twenty times", TWENTY_KILLS, kills)] if kills else []
    console = Console(stderr=True)
    rows: list[ScenarioResult] = []
    with (
        tempfile.TemporaryDirectory(prefix="sluicegate-chaos-") as temporary,
        ApacheKafka(nodes=3) as cluster,
        Proxies(dict(zip(cluster.proxy_ports, cluster.behind_proxy, strict=True))) as proxies,
    ):
        folder = logs or Path(temporary)
        for number, (name, chosen, count) in enumerate(plan):
            console.print(f"{name}: {count} events")
            here = folder / f"{number:02}-{name.replace(' ', '-')}"
            try:
                row = run(cluster, proxies, name, chosen, count=count, rate=rate, seed=seed + number, folder=here)
            except (AssertionError, KafkaException) as error:  # workers or brokers did not recover
                console.print(f"[red]{name}: {error}[/]")
                continue
            console.print(row)
            rows.append(row)
    table_console().print(_table(rows))
    sys.exit(0 if len(rows) == len(plan) and all(row.passed for row in rows) else 1)


_COUNTS: Final = ("events", "lost", "wrong", "unrecognisable", "fell_back", "duplicates")


def _table(rows: list[ScenarioResult]) -> Table:
    table = Table(
        "fault",
        *("events", "lost", "wrong", "unrecognisable", "fell back", "duplicates", "p50 ms", "p99 ms", "recovered in s"),
    )
    for row in rows:
        counts = [getattr(row.findings, name) for name in _COUNTS]
        times = (f"{row.findings.p50_ms:.0f}", f"{row.findings.p99_ms:.0f}", f"{row.recovered_s:.1f}")
        table.add_row(row.name if row.passed else f"[red]{row.name}[/]", *(f"{count:,}" for count in counts), *times)
    table.add_section()
    sums = [sum(getattr(row.findings, name) for row in rows) for name in _COUNTS]
    table.add_row("all", *(f"{count:,}" for count in sums))
    return table


if __name__ == "__main__":
    typer.run(main)
