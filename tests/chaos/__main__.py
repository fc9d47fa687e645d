"""Break everything in turn and see that nothing is lost: ``python -m tests.chaos`` prints a table.

Three Apache Kafka brokers on loopback (java 17+, Maven the first time), workers whose model is scripted, a producer at
a steady rate. Exits with 1 when an event is lost, has a wrong outcome, or comes twice without being recognisable.
"""

import sys
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer
from confluent_kafka import KafkaException
from rich.console import Console
from rich.table import Table

from tests.chaos.faults import FAULTS, TWENTY_KILLS, random_mix
from tests.chaos.proxy import Proxies
from tests.chaos.scenario import Fault, Row, run
from tests.support.kafka_cluster import ApacheKafka, available


def main(
    fault: Annotated[list[str] | None, typer.Option(help="Only this one; may be given more than once.")] = None,
    events: Annotated[int, typer.Option(min=100, help="Published in each scenario.")] = 8_000,
    rate: Annotated[float, typer.Option(min=1, help="Events a second.")] = 400,
    mixes: Annotated[int, typer.Option(min=0, help="Scenarios of four faults drawn by seed.")] = 2,
    kills: Annotated[int, typer.Option(min=0, help="Events while workers are killed twenty times.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the events and of what is drawn.")] = 1,
    logs: Annotated[Path | None, typer.Option(help="Folder for the workers' logs; else a temporary one.")] = None,
) -> None:
    """Play each fault, then random mixes, and print the table."""
    reason = available()
    if reason:
        sys.exit(f"no real Kafka: {reason}")
    unknown = set(fault or []) - FAULTS.keys()
    if unknown:
        sys.exit(f"no fault is called {', '.join(sorted(unknown))}; there are: {', '.join(FAULTS)}")
    plan: list[tuple[str, Fault, int]] = [(name, FAULTS[name], events) for name in fault or FAULTS]
    if not fault:
        plan += [(f"mix {number}", random_mix(seed + number), events) for number in range(1, mixes + 1)]
        plan += [("worker killed twenty times", TWENTY_KILLS, kills)] if kills else []
    console = Console(stderr=True)
    rows: list[Row] = []
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
            except (AssertionError, KafkaException) as error:  # the workers, or the brokers, did not come back
                console.print(f"[red]{name}: {error}[/]")
                continue
            console.print(row)
            rows.append(row)
    Console().print(_table(rows))
    sys.exit(0 if len(rows) == len(plan) and all(row.kept for row in rows) else 1)


_COUNTS: Final = ("events", "lost", "wrong", "unrecognisable", "fell_back", "duplicates")


def _table(rows: list[Row]) -> Table:
    table = Table(
        "fault",
        *("events", "lost", "wrong", "unrecognisable", "fell back", "twice", "p50 ms", "p99 ms", "recovered in s"),
    )
    for row in rows:
        found = row.verdict
        counts = [getattr(found, name) for name in _COUNTS]
        times = (f"{found.p50_ms:.0f}", f"{found.p99_ms:.0f}", f"{row.recovered_s:.1f}")
        table.add_row(row.name if row.kept else f"[red]{row.name}[/]", *(f"{count:,}" for count in counts), *times)
    table.add_section()
    sums = [sum(getattr(row.verdict, name) for row in rows) for name in _COUNTS]
    table.add_row("all", *(f"{count:,}" for count in sums))
    return table


if __name__ == "__main__":
    typer.run(main)
