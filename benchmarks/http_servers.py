"""The processes that `python -m benchmarks.http` compares: the decider alone, `sluice serve`, and a mosec server."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import orjson
import uvloop

from sluicegate.agents.deciding.decider import Decider, load_engine
from sluicegate.agents.process.garbage_collector import freeze_long_lived_objects
from sluicegate.agents.process.start_environment import START_ENVIRONMENT
from sluicegate.agents.settings import load_settings
from tests.support.ports import free_port

_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A running server of this machine."""

    port: int
    process: int

    def cpu_s(self) -> float:
        """Seconds of CPU that the process and its children have used."""
        return sum(_cpu_s(each) for each in _family(self.process))


class AloneDecider:
    """A process that decides without HTTP."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def decide_all(self, texts: Sequence[str], at_once: int) -> tuple[float, float]:
        """Seconds, and seconds of CPU, for all of `texts`."""
        wall_s, cpu_s = self._ask(texts, at_once)
        return wall_s, cpu_s

    def decide_singly(self, texts: Sequence[str]) -> list[float]:
        """The milliseconds of each."""
        return self._ask(texts, 1)

    def _ask(self, texts: Sequence[str], at_once: int) -> list[float]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(orjson.dumps([at_once, list(texts)]) + b"\n")
        self._process.stdin.flush()
        answer: list[float] = orjson.loads(self._process.stdout.readline())
        return answer


@contextmanager
def alone_decider(settings: Mapping[str, str]) -> Iterator[AloneDecider]:
    """Engine, micro-batcher and policy, in a process that has no HTTP."""
    command = [sys.executable, "-m", "benchmarks.http_servers"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **START_ENVIRONMENT, **settings}
    ) as process:
        yield AloneDecider(process)
        process.kill()


@contextmanager
def sluice_serve(settings: Mapping[str, str]) -> Iterator[Server]:
    """`sluice serve`."""
    port = free_port()
    with _serving(
        ["-m", "sluicegate", "serve"], port, "/readyz", {**settings, "SLUICE_HTTP_PORT": str(port)}
    ) as server:
        yield server


@contextmanager
def mosec_server(settings: Mapping[str, str], workers: int) -> Iterator[Server]:
    """The engine behind mosec, in `workers` processes that share the cores."""
    port = free_port()
    given = {
        **settings,
        "BENCHMARK_WORKERS": str(workers),
        "SLUICE_THREADS": str(max(1, len(os.sched_getaffinity(0)) // workers)),
        "MOSEC_ADDRESS": "127.0.0.1",
        "MOSEC_PORT": str(port),
        "MOSEC_TIMEOUT": "120000",
        "MOSEC_LOG_LEVEL": "error",
    }
    with _serving(["-m", "benchmarks.mosec_server"], port, "/metrics", given) as server:
        httpx.post(f"http://127.0.0.1:{port}/inference", json={"text": "red shoes"}, timeout=300).raise_for_status()
        yield server


@contextmanager
def _serving(command: Sequence[str], port: int, page: str, settings: Mapping[str, str]) -> Iterator[Server]:
    environment = {**os.environ, **START_ENVIRONMENT, **settings}
    with subprocess.Popen([sys.executable, *command], env=environment) as process:
        try:
            _await_answer(f"http://127.0.0.1:{port}{page}", process)
            yield Server(port, process.pid)
        finally:
            process.terminate()


def _await_answer(url: str, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        try:
            if httpx.get(url, verify=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"the server of {url} has ended")


def _family(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *(member for child in children for member in _family(int(child)))]


def _cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def _decide_lines() -> None:
    """Decide the texts of each line of standard input, and write what it took."""
    settings = load_settings()
    async with Decider[None].running(load_engine(settings), settings) as decider:
        freeze_long_lived_objects()
        for line in sys.stdin.buffer:
            at_once, texts = orjson.loads(line)
            waiting: Iterator[str] = iter(texts)
            latencies_ms: list[float] = []

            async def decide_next(waiting: Iterator[str] = waiting, latencies_ms: list[float] = latencies_ms) -> None:
                for text in waiting:
                    began = time.perf_counter()
                    decision = await decider.decide(text, None)
                    assert decision.degraded is None, decision.degraded
                    latencies_ms.append(1000 * (time.perf_counter() - began))

            began, began_cpu = time.perf_counter(), time.process_time()
            await asyncio.gather(*(decide_next() for _ in range(at_once)))
            measured = [time.perf_counter() - began, time.process_time() - began_cpu]
            sys.stdout.buffer.write(orjson.dumps(latencies_ms if at_once == 1 else measured) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_decide_lines())
