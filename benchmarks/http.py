"""What HTTP adds to the engine: ``python -m benchmarks.http`` prints two tables.

Two processes take turns on the same queries: the decider alone (engine, micro-batcher and policy, in a process that
has no HTTP), and `sluice serve`, over kept connections of this machine. No query is repeated, and nothing is cached.

    saturation   many queries at once: queries a second, and milliseconds of CPU for each query in the process that
                 decides. The client has a share of the same cores: its CPU time is in the table.
    one at a time   milliseconds of each query, as the caller sees them

The machine may be busy with something else: compare medians, and the CPU time, which waiting does not change.
"""

import asyncio
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import httpx
import orjson
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.http_client import request_of, send_all
from sluicegate.agents.deciding.decider import Decider, load_engine
from sluicegate.agents.process.allocator import ALLOCATOR_SETTINGS
from sluicegate.agents.process.garbage_collector import freeze_long_lived_objects
from sluicegate.agents.settings import EMBEDDED_MODEL, load_settings
from sluicegate.models.data.corruption import corrupt
from sluicegate.models.data.products import product_query
from tests.support.ports import free_port

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_AT_ONCE: Final = 64
_BATCH: Final = 32
_ENGINE: Final = "decider alone"


class Sample(NamedTuple):
    """One turn: queries a second, milliseconds of CPU for each query where it is decided, and in the client."""

    rate: float
    cpu_ms: float
    client_cpu_ms: float


def main(
    model: Annotated[Path, typer.Option(help="Folder of a compiled model.")] = EMBEDDED_MODEL,
    queries: Annotated[int, typer.Option(min=64, help="Queries of each turn at saturation.")] = 2000,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each way.")] = 7,
    singles: Annotated[int, typer.Option(min=10, help="Queries one at a time, of each way.")] = 500,
    engine: Annotated[bool, typer.Option("--engine", hidden=True, help="Be the process without HTTP.")] = False,
) -> None:
    """Compare `sluice serve` with the decider alone, at saturation and one query at a time."""
    if engine:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_be_the_engine(model))
        return
    console = Console()
    with (
        _serving(model) as (port, server),
        _engine(model) as alone,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):

        def over_http(requests: Sequence[bytes], texts: int, at_once: int) -> Sample:
            began_cpu, own_cpu = _cpu_s(server), time.process_time()
            load = runner.run(send_all(port, requests, at_once))
            if load.failed:
                raise typer.BadParameter(f"{load.failed} requests were not answered with 200")
            spent, own = _cpu_s(server) - began_cpu, time.process_time() - own_cpu
            return Sample(texts / load.wall_s, 1000 * spent / texts, 1000 * own / texts)

        ways: dict[str, Callable[[Sequence[str]], Sample]] = {
            _ENGINE: alone.decide_all,
            "POST /v1/gate": lambda texts: over_http(
                [request_of("/v1/gate", {"text": text}) for text in texts], len(texts), _AT_ONCE
            ),
            f"POST /v1/gate/batch, {_BATCH} texts": lambda texts: over_http(
                [
                    request_of("/v1/gate/batch", {"texts": texts[first : first + _BATCH]})
                    for first in range(0, len(texts), _BATCH)
                ],
                len(texts),
                2,
            ),
        }
        rng = random.Random(7)
        samples: dict[str, list[Sample]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            for name in rng.sample(sorted(ways), len(ways)):
                sample = ways[name](_texts(rng, queries))
                if number:  # the first round warms up
                    samples[name].append(sample)
        console.print(_saturation(samples))

        latencies: dict[str, list[float]] = {_ENGINE: [], "POST /v1/gate": []}
        for _ in range(singles // 50 + 1):
            texts = _texts(rng, 50)
            latencies[_ENGINE] += alone.decide_singly(texts)
            load = runner.run(send_all(port, [request_of("/v1/gate", {"text": text}) for text in _texts(rng, 50)], 1))
            latencies["POST /v1/gate"] += [1000 * seconds for seconds in load.latencies_s]
        console.print(_one_at_a_time(latencies))


def _texts(rng: random.Random, count: int) -> list[str]:
    return [f"{corrupt(product_query(rng).text, rng)} {rng.randrange(10**6)}" for _ in range(count)]


class _Engine:
    """The process that decides without HTTP."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def _ask(self, texts: Sequence[str], at_once: int) -> list[float]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(orjson.dumps([at_once, list(texts)]) + b"\n")
        self._process.stdin.flush()
        answer: list[float] = orjson.loads(self._process.stdout.readline())
        return answer

    def decide_all(self, texts: Sequence[str]) -> Sample:
        wall_s, cpu_s = self._ask(texts, _AT_ONCE)
        return Sample(len(texts) / wall_s, 1000 * cpu_s / len(texts), 0.0)

    def decide_singly(self, texts: Sequence[str]) -> list[float]:
        """The milliseconds of each."""
        return self._ask(texts, 1)


async def _be_the_engine(model: Path) -> None:
    settings = load_settings(model=model, cache_size=0)
    async with Decider[None].running(load_engine(settings), settings) as decider:
        freeze_long_lived_objects()
        for line in sys.stdin.buffer:
            at_once, texts = orjson.loads(line)
            waiting: Iterator[str] = iter(texts)
            latencies_ms: list[float] = []

            async def decide_next(waiting: Iterator[str] = waiting, latencies_ms: list[float] = latencies_ms) -> None:
                for text in waiting:
                    began = time.perf_counter()
                    await decider.decide(text, None)
                    latencies_ms.append(1000 * (time.perf_counter() - began))

            began, began_cpu = time.perf_counter(), time.process_time()
            await asyncio.gather(*(decide_next() for _ in range(at_once)))
            measured = [time.perf_counter() - began, time.process_time() - began_cpu]
            sys.stdout.buffer.write(orjson.dumps(latencies_ms if at_once == 1 else measured) + b"\n")
            sys.stdout.buffer.flush()


@contextmanager
def _engine(model: Path) -> Iterator[_Engine]:
    command = [sys.executable, "-m", "benchmarks.http", "--engine", "--model", str(model)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **ALLOCATOR_SETTINGS}
    ) as process:
        yield _Engine(process)
        process.kill()


@contextmanager
def _serving(model: Path) -> Iterator[tuple[int, int]]:
    """The port and the process id of a running `sluice serve`."""
    port = free_port()
    settings = {"SLUICE_CACHE_SIZE": "0", "SLUICE_HTTP_PORT": str(port), "SLUICE_MODEL": str(model)}
    command = [sys.executable, "-m", "sluicegate", "serve"]
    with subprocess.Popen(command, env={**os.environ, **ALLOCATOR_SETTINGS, **settings}) as process:
        try:
            _await_ready(port, process)
            yield port, process.pid
        finally:
            process.terminate()


def _await_ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", verify=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise typer.BadParameter("`sluice serve` has ended")


def _cpu_s(process: int) -> float:
    """Seconds of CPU that the process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _saturation(samples: dict[str, list[Sample]]) -> Table:
    table = Table(
        "way", "queries a second", "of the decider's", "CPU ms a query", "client's CPU ms a query", title="saturation"
    )
    base = statistics.median(sample.rate for sample in samples[_ENGINE])
    for name, taken in samples.items():
        rate, cpu_ms, client_ms = (statistics.median(values) for values in zip(*taken, strict=True))
        table.add_row(name, f"{rate:.0f}", f"{rate / base:.0%}", f"{cpu_ms:.2f}", f"{client_ms:.2f}")
    return table


def _one_at_a_time(latencies: dict[str, list[float]]) -> Table:
    table = Table("way", "p50 ms", "p95 ms", "added at p50, ms", title="one at a time")
    base = statistics.median(latencies[_ENGINE])
    for name, measured in latencies.items():
        cuts = statistics.quantiles(measured, n=100)
        table.add_row(name, f"{cuts[49]:.2f}", f"{cuts[94]:.2f}", f"{cuts[49] - base:.2f}")
    return table


if __name__ == "__main__":
    typer.run(main)
