"""Feeding an engine with a stream: as many requests at once as a window holds, or each at its time."""

import asyncio
import resource
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from benchmarks.process_memory import memory_bytes

QueryT = TypeVar("QueryT")


@dataclass(frozen=True)
class Request:
    """A prompt as token ids, and how many tokens are to be written after it."""

    prompt: Sequence[int]
    tokens: int


class Continuous(Protocol):
    """An engine that takes requests while it works on others."""

    def add(self, key: int, request: Request) -> None:
        """Let `request` wait, or begin it."""

    def step(self) -> list[int]:
        """Work for a while; returns the keys of the requests that are done since the last call."""


@dataclass(frozen=True)
class Measured:
    """What a stream took."""

    rate: float
    """Queries a second."""
    cpu_ms: float
    """CPU time of the process for each query."""
    cores: float
    """How many cores the process kept busy."""
    p50_ms: float
    p99_ms: float
    peak: float
    """Most memory of the process, in bytes."""


class Stopwatch:
    """Measures from now on what a stream takes."""

    def __init__(self) -> None:
        self._cpu, self._began = _cpu_s(), time.perf_counter()

    def measured(self, latencies: Sequence[float]) -> Measured:
        """What it took until now, with the seconds to each answer."""
        wall, cpu = time.perf_counter() - self._began, _cpu_s() - self._cpu
        cuts = statistics.quantiles(latencies, n=100)
        return Measured(
            rate=len(latencies) / wall,
            cpu_ms=1000 * cpu / len(latencies),
            cores=cpu / wall,
            p50_ms=1000 * cuts[49],
            p99_ms=1000 * cuts[98],
            peak=memory_bytes("VmHWM"),
        )


def feed(
    engine: Continuous, requests: Sequence[Request], window: int, arrivals: Sequence[float] | None = None
) -> list[float]:
    """Seconds from the arrival of each request to its answer.

    A request arrives as soon as fewer than `window` are unanswered, or at its time in `arrivals`, in seconds from now.
    """
    began = time.perf_counter()
    arrived: dict[int, float] = {}
    latencies: list[float] = []
    while len(latencies) < len(requests):
        while (key := len(arrived)) < len(requests):
            now = time.perf_counter() - began
            if arrivals is None and key - len(latencies) >= window:
                break
            if arrivals is not None and arrivals[key] > now:
                if key > len(latencies):
                    break
                time.sleep(arrivals[key] - now)
            arrived[key] = now if arrivals is None else arrivals[key]
            engine.add(key, requests[key])
        done = engine.step()
        now = time.perf_counter() - began
        latencies += [now - arrived[key] for key in done]
    return latencies


async def ask(
    decide: Callable[[QueryT], Awaitable[object]],
    queries: Sequence[QueryT],
    window: int,
    arrivals: Sequence[float] | None = None,
) -> list[float]:
    """The same of a coroutine that answers one query."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    places = asyncio.Semaphore(window)

    async def one(number: int) -> float:
        if arrivals is None:
            async with places:
                arrived = loop.time()
                await decide(queries[number])
        else:
            arrived = began + arrivals[number]
            await asyncio.sleep(arrived - loop.time())
            await decide(queries[number])
        return loop.time() - arrived

    return await asyncio.gather(*map(one, range(len(queries))))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
