"""Two models in one worker, from Kafka to Kafka: ``python -m benchmarks.cascade FOLDER``.

FOLDER is the compiled second model, for example one of Qwen3-0.6B's shape. Three workers get the same queries, one
after the other: the second model alone, as fast as it can; the embedded model alone; and both, where the second is
asked about a share. The last two get a steady rate, a multiple of what the second model alone decides, and take turns.
"""

import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.kafka_bench import WORKER, Bench, running
from benchmarks.queries import mixed_queries
from sluicegate.agents.deciding.decider import load_engine
from sluicegate.agents.settings import load_settings
from sluicegate.models.inference.labels import Category
from sluicegate.models.text.normalise import normalise

_NO_CACHE = {"SLUICE_CACHE_SIZE": "0", "SLUICE_DEADLINE_MS": "40000"}

_FIRST = 30
"""Events that are decided before anything is measured: the second model takes long for them."""


@dataclass(frozen=True)
class _Run:
    """One worker under the steady rate. Times are in milliseconds."""

    name: str
    rate: float
    p50: float
    p99: float
    """Of the events that the first model decided alone."""
    share: float
    outcomes: Counter[str]


def main(
    folder: Annotated[Path, typer.Argument(help="Compiled model that is asked second.")],
    share: Annotated[float, typer.Option(help="Share of the queries that the first is unsure of.")] = 0.12,
    times: Annotated[float, typer.Option(help="Steady rate, in multiples of the second alone.")] = 5.5,
    alone: Annotated[int, typer.Option(min=50, help="Events for the second model alone.")] = 200,
    seconds: Annotated[float, typer.Option(min=1, help="Length of each run at the steady rate.")] = 15,
    rounds: Annotated[int, typer.Option(min=1, help="Runs at the steady rate, of each.")] = 2,
) -> None:
    """Compare both models together with each alone."""
    with running(WORKER, {**_NO_CACHE, "SLUICE_MODEL": str(folder)}, live=False, first=_FIRST) as bench:
        began = time.time()
        for query in mixed_queries(alone):
            bench.send(query)
        bench.wait("the second model alone")
        if late := bench.decided_without_the_model():
            sys.exit(f"{late} events were too late for the second model: ask for fewer with --alone")
        by_itself = alone / (max(seen.written for seen in bench.seen.values()) - began)
    Console(stderr=True).print(f"the second model alone: {by_itself:.1f} events a second")
    queries = mixed_queries(max(100, round(times * by_itself * seconds)))
    unsure = {**_NO_CACHE, "SLUICE_THRESHOLDS": _thresholds_that_review(share, queries)}
    both = {**unsure, "SLUICE_SECOND_MODEL": str(folder)}
    runs = [
        _steady(name, given, queries, times * by_itself)
        for _ in range(rounds)
        for name, given in (("the first model alone", unsure), ("both", both))
    ]
    table = Table("", "events a second", "p50 ms", "p99 ms", "asked second", "of these", title=f"second: {folder.name}")
    table.add_row("the second model alone", f"{by_itself:.1f}")
    for run in runs:
        outcomes = ", ".join(f"{outcome} {count}" for outcome, count in run.outcomes.most_common())
        times_ms = (f"{run.p50:.1f}", f"{run.p99:.1f}")
        table.add_row(run.name, f"{run.rate:.1f}", *times_ms, f"{run.share:.1%}", outcomes)
    Console().print(table)
    first, together = ([run for run in runs if (run.name == "both") is both_] for both_ in (False, True))
    faster = statistics.median(run.rate for run in together) / by_itself
    slower = statistics.median(run.p99 for run in together) / statistics.median(run.p99 for run in first)
    Console().print(
        f"both decide {faster:.1f} times as many as the second alone; p99 of what the first decides alone is "
        f"{slower:.2f} times that without a second",
        highlight=False,
    )


def _thresholds_that_review(share: float, queries: Sequence[str]) -> str:
    """Thresholds by which the embedded model reviews `share` of the queries and blocks none, as JSON."""
    engine = load_engine(load_settings())
    sample = [engine.encode(normalise(query).text) for query in queries[:2000]]
    worst = [
        max(result.probabilities[each] for each in Category) for query in sample for result in engine.judge([query])
    ]
    allow = sorted(worst)[int((1 - share) * len(worst))]
    return msgspec.json.encode({str(category): {"allow": allow, "block": 1.1} for category in Category}).decode()


def _steady(name: str, given: dict[str, str], queries: Sequence[str], rate: float) -> _Run:
    with running(WORKER, given, first=_FIRST) as bench:
        bench.send_at(queries, rate)
        bench.wait(name)
        run = _measured(name, bench)
    Console(stderr=True).print(run)
    return run


def _measured(name: str, bench: Bench) -> _Run:
    seconds = {id_: (seen.record["decision"] or {}).get("second") for id_, seen in bench.seen.items()}
    alone = [1000 * (bench.seen[id_].at - sent) for id_, sent in bench.sent.items() if seconds[id_] is None]
    cuts = statistics.quantiles(alone, n=100)
    asked = [second for second in seconds.values() if second]
    outcomes = Counter(str(second["outcome"]) for second in asked)
    return _Run(name, bench.rate(), cuts[49], cuts[98], len(asked) / len(seconds), outcomes)


if __name__ == "__main__":
    typer.run(main)
