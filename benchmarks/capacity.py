"""Whether ``sluice capacity`` is right: what it predicts of a worker, and what the worker does.

The worker, and the calibration before, have core 0 to themselves. Kafka, the producer and the reader of the ledger have
the others, so that the worker is what is measured: ``python -m benchmarks.capacity``. It needs two cores.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.kafka_bench import NULL_WORKER, WORKER, Bench, running
from benchmarks.queries import mixed_queries
from sluicegate.agents.deciding.decider import load_engine
from sluicegate.agents.settings import load_settings
from sluicegate.models.capacity_plan import OVERHEAD_MS, PIPELINE_MS, Worker
from sluicegate.models.profile import Profile
from sluicegate.models.text.normalise import normalise

_OWN: Final = {0}
_NO_CACHE: Final = {"SLUICE_CACHE_SIZE": "0"}


@contextmanager
def _on(cores: Collection[int]) -> Iterator[None]:
    """What this thread starts in the block has only these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _worker(module: Sequence[str], environment: Mapping[str, str], *, live: bool) -> Iterator[Bench]:
    """A worker with a core to itself; the broker and this process have the others."""
    with _on(os.sched_getaffinity(0) - _OWN), running(module, {**_NO_CACHE, **environment}, live=live) as bench:
        for task in Path(f"/proc/{bench.worker_pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), _OWN)
        yield bench


def _saturated(module: Sequence[str], environment: Mapping[str, str], count: int) -> tuple[float, int, float]:
    """Events a second, and of an event the tokens of a reading, and the readings."""
    with _worker(module, environment, live=False) as bench:
        for query in mixed_queries(count):
            bench.send(query)
        bench.wait("saturated")
        if late := bench.decided_without_the_model():
            sys.exit(f"{late} events were too late for the model: set SLUICE_DEADLINE_MS higher")
        records = [seen.record for seen in bench.seen.values()]
        readings = statistics.mean(max(1, len(record["decision"]["readings"] or ())) for record in records)
        tokens = statistics.mean((record["tokens"] or {"input": 0})["input"] for record in records)
        return bench.rate(), max(1, round(tokens)), readings


def _text_ms(count: int) -> float:
    """CPU milliseconds of normalising, correcting and encoding a query, which a worker without a model does not do."""
    engine, queries = load_engine(load_settings(threads=1, replicas=1)), mixed_queries(count)
    began = time.process_time()
    for query in queries:
        engine.encode(normalise(query).text)
    return 1000 * (time.process_time() - began) / count


def _p99_ms(module: Sequence[str], environment: Mapping[str, str], rate: float, seconds: float) -> float:
    with _worker(module, environment, live=True) as bench:
        bench.send_at(mixed_queries(round(rate * seconds)), rate)
        bench.wait(f"{rate:.0f} a second")
        return statistics.quantiles(bench.latencies_ms(), n=100)[98]


def main(
    count: Annotated[int, typer.Option(min=200, help="Events of each run.")] = 8_000,
    seconds: Annotated[float, typer.Option(min=1, help="Length of the run at half of the most.")] = 20,
    profile: Annotated[Path | None, typer.Option(help="Of one core of this machine. Default: calibrate now.")] = None,
) -> None:
    """Calibrate, saturate a worker, and run it at half of that; print what was predicted of both, and measured."""
    with tempfile.TemporaryDirectory() as folder:
        file = profile or Path(folder) / "profile.json"
        if not profile:
            with _on(_OWN):
                calibrate = [sys.executable, "-m", "sluicegate", "calibrate", "--out", str(file)]
                subprocess.run(calibrate, check=True, stdout=sys.stderr)
        given = {"SLUICE_PROFILE": str(file)}
        pipeline, _, _ = _saturated(NULL_WORKER, {}, count)
        measured, tokens, readings = _saturated(WORKER, given, count)
        worker = Worker(profile=Profile.read(file), cores=len(_OWN), tokens=tokens, readings=readings)
        half = worker.most / 2
        overhead_ms = _p99_ms(NULL_WORKER, {}, half, seconds)
        informed = replace(worker, overhead_ms=overhead_ms)
        p99_ms = _p99_ms(WORKER, given, half, seconds)
        rows = [
            ("events a second at most", worker.most, measured),
            ("p99 ms at half of that", worker.p99_ms(half), p99_ms),
            ("the same without a model", OVERHEAD_MS, overhead_ms),
            ("p99 ms, with that overhead", informed.p99_ms(half), p99_ms),
            ("pipeline, ms of a core", PIPELINE_MS, 1000 / pipeline + _text_ms(count)),
        ]
    title = f"one worker on one core; {tokens} tokens, {readings:.2f} readings an event"
    table = Table("", "predicted", "measured", "predicted / measured", title=title)
    for name, predicted, found in rows:
        table.add_row(name, f"{predicted:.3g}", f"{found:.3g}", f"{predicted / found:.2f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
