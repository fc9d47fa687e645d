"""How long one query takes inside the process, one at a time: ``python -m benchmarks.latency``.

Three ways to decide the same misspelt product queries take turns, in random order: the engine itself (normalise,
encode, judge), the sync `Gate`, and `AsyncGate`. No query is repeated, so nothing is answered from a cache. Then the
time of a new process to its first decision, from its start to its end.

The machine may be busy with something else: compare medians, and the CPU time, which waiting does not change.
"""

import asyncio
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from sluicegate import AsyncGate, Gate
from sluicegate.agents.deciding.decider import load_engine
from sluicegate.agents.settings import EMBEDDED_MODEL, load_settings
from sluicegate.models.data.corruption import corrupt
from sluicegate.models.data.products import product_query
from sluicegate.models.text.normalise import normalise

_QUERIES: Final = 1000
_WARM_UP: Final = 50
_STARTS: Final = 7
_FIRST_DECISION: Final = "import sys; from sluicegate import Gate; Gate(sys.argv[1]).decide('wireless headphons')"


def main(
    model: Annotated[Path, typer.Option(help="Folder of a compiled model.")] = EMBEDDED_MODEL,
    queries: Annotated[int, typer.Option(min=10, help="Queries to time.")] = _QUERIES,
) -> None:
    """Time single queries through the engine and both gates, then the first decision of a new process."""
    engine = load_engine(load_settings(model=model))

    def judge(query: str) -> None:
        engine.judge([engine.encode(normalise(query).text)])

    console = Console()
    with Gate(model) as gate, asyncio.Runner() as runner:
        async_gate = runner.run(AsyncGate(model).__aenter__())

        def decide_async(query: str) -> None:
            runner.run(async_gate.decide(query))  # the event loop starts and stops for each: an upper bound

        ways: dict[str, Callable[[str], object]] = {"engine": judge, "Gate": gate.decide, "AsyncGate": decide_async}
        console.print(_table(engine.manifest.model_version, _time(ways, queries)))
        runner.run(async_gate.__aexit__(None, None, None))
    wall, cpu = zip(*(_first_decision(model) for _ in range(_STARTS)), strict=True)
    console.print(
        f"first decision of a new process, median of {_STARTS}: {statistics.median(wall):.2f} s, "
        f"{statistics.median(cpu):.2f} s of CPU; fastest {min(wall):.2f} s"
    )


def _time(ways: dict[str, Callable[[str], object]], count: int) -> dict[str, list[tuple[float, float]]]:
    """For each way, the milliseconds and the milliseconds of CPU of each query."""
    rng = random.Random(7)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(_WARM_UP + count):
        query = f"{corrupt(product_query(rng).text, rng)} {number}"
        for name in rng.sample(sorted(ways), len(ways)):
            began, began_cpu = time.perf_counter(), time.process_time()
            ways[name](query)
            spent, spent_cpu = time.perf_counter() - began, time.process_time() - began_cpu
            if number >= _WARM_UP:
                times[name].append((1000 * spent, 1000 * spent_cpu))
    return times


def _table(version: str, times: dict[str, list[tuple[float, float]]]) -> Table:
    table = Table("way", "p50 ms", "p95 ms", "CPU ms, median", "p50 to engine's", title=f"{version}, one at a time")
    base = statistics.median(wall for wall, _ in times["engine"])
    for name, measured in times.items():
        cuts = statistics.quantiles((wall for wall, _ in measured), n=100)
        cpu = statistics.median(cpu for _, cpu in measured)
        table.add_row(name, f"{cuts[49]:.2f}", f"{cuts[94]:.2f}", f"{cpu:.2f}", f"{cuts[49] / base:.3f}")
    return table


def _first_decision(model: Path) -> tuple[float, float]:
    """Seconds from the start of a process to its end, and its seconds of CPU."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", _FIRST_DECISION, str(model)])
    _, status, usage = os.wait4(process.pid, 0)
    if process.returncode is None:
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise typer.Exit(process.returncode)
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    typer.run(main)
