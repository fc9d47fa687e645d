"""200 connections, half of them slow or broken: ``python -m tests.chaos.http_soak`` runs for two minutes.

It starts `sluice serve` and keeps connections of these kinds open at once:

    good       one request after the other on a kept connection; each must be answered with 200, or with 429
    slow       sends its request byte by byte, in time: must be answered with 200
    too slow   stops in the middle of its body, and waits: must be answered with 408
    broken     closes its connection in the middle of its body: nobody is there to answer

Then it checks that no request was left without its answer, that the server has no more descriptors, tasks and open
requests than before, that its memory has stopped growing, and that the 99th percentile of the good requests is bounded.
"""

import asyncio
import os
import random
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer

from benchmarks.http_client import Connection, request_of
from tests.support.ports import free_port

READ_TIMEOUT_MS: Final = 1_000
_PATH: Final = "/v1/gate"
_WORDS: Final = ("red", "blue", "cheap", "runing", "shoes", "wireles", "headphones", "men", "size", "sale")
_START_S: Final = 180


@dataclass
class Seen:
    """What the clients saw. `wrong` has a line for each answer that should not be."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)

    @property
    def median_s(self) -> float:
        """Of the good requests. They are sent one after the other: it is their number by the server's throughput."""
        return statistics.median(self.latencies_s)

    @property
    def p99_s(self) -> float:
        """Of the good requests."""
        return statistics.quantiles(self.latencies_s, n=100)[98]


@dataclass(frozen=True)
class Held:
    """What the server holds at one moment."""

    descriptors: int
    memory_mib: float
    open_requests: int


class Server:
    """A running `sluice serve`."""

    def __init__(self) -> None:
        self.port = free_port()
        settings = {"SLUICE_HTTP_PORT": str(self.port), "SLUICE_HTTP_READ_TIMEOUT_MS": str(READ_TIMEOUT_MS)}
        command = [sys.executable, "-m", "sluicegate", "serve"]
        self.process = subprocess.Popen(command, env={**os.environ, **settings})

    def await_ready(self) -> None:
        """Wait until it answers."""
        give_up = time.monotonic() + _START_S
        while time.monotonic() < give_up and self.process.poll() is None:
            try:
                if self._readyz().is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError("`sluice serve` does not answer")

    def held(self) -> Held:
        """What it holds now."""
        folder = Path(f"/proc/{self.process.pid}")
        memory = re.search(r"VmRSS:\s+(\d+) kB", (folder / "status").read_text())
        assert memory
        return Held(len(list((folder / "fd").iterdir())), int(memory[1]) / 1024, self._readyz().json()["in_flight"])

    def stop(self) -> int:
        """End it with SIGTERM; returns its exit code."""
        self.process.terminate()
        return self.process.wait(60)

    def _readyz(self) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}/readyz", verify=False, timeout=30)


Client = Callable[[int, random.Random, Seen, float], Awaitable[None]]


async def load(port: int, connections: int, duration_s: float) -> Seen:
    """Keep `connections` connections busy for `duration_s`; half of them are not good."""
    seen, ends_at = Seen(), time.monotonic() + duration_s
    kinds: Sequence[Client] = (_good, _slow, _good, _too_slow, _good, _broken)

    async def client(number: int) -> None:
        rng = random.Random(number)
        while time.monotonic() < ends_at:
            try:
                await kinds[number % len(kinds)](port, rng, seen, ends_at)
            except (OSError, asyncio.IncompleteReadError) as error:  # an answer was due, and the connection ended
                seen.wrong.append(f"{type(error).__name__}: {error}")

    await asyncio.gather(*map(client, range(connections)))
    return seen


async def _good(port: int, rng: random.Random, seen: Seen, ends_at: float) -> None:
    connection = await Connection.to(port)
    try:
        while time.monotonic() < ends_at:
            began = time.monotonic()
            is_ok, body = await connection.send(_request(rng))
            seen.latencies_s.append(time.monotonic() - began)
            refused = b'"overloaded"' in body
            seen.outcomes["refused" if refused else "good"] += 1
            if not is_ok and not refused:
                seen.wrong.append(f"good: {body[:200]!r}")
    finally:
        connection.close()


async def _slow(port: int, rng: random.Random, seen: Seen, _: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        request = _request(rng)
        piece = max(1, len(request) // 10)
        for start in range(0, len(request), piece):
            writer.write(request[start : start + piece])
            await asyncio.sleep(0.2 * READ_TIMEOUT_MS / 1000 / 10)
        await _expect((b"HTTP/1.1 200", b"HTTP/1.1 429"), reader, "slow", seen)
    finally:
        writer.close()


async def _too_slow(port: int, rng: random.Random, seen: Seen, _: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        request = _request(rng)
        writer.write(request[: rng.randrange(1, len(request))])
        await _expect((b"HTTP/1.1 408",), reader, "too slow", seen)
    finally:
        writer.close()


async def _broken(port: int, rng: random.Random, seen: Seen, _: float) -> None:
    __, writer = await asyncio.open_connection("127.0.0.1", port)
    request = _request(rng)
    writer.write(request[: rng.randrange(1, len(request))])
    await writer.drain()
    await asyncio.sleep(rng.uniform(0, 0.1))
    if rng.random() < 0.5:
        writer.transport.abort()
    writer.close()
    seen.outcomes["broken"] += 1


async def _expect(statuses: tuple[bytes, ...], reader: asyncio.StreamReader, kind: str, seen: Seen) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    seen.outcomes[kind] += 1
    if not head.startswith(statuses):
        seen.wrong.append(f"{kind}: {head[:100]!r}")


def _request(rng: random.Random) -> bytes:
    return request_of(_PATH, {"text": " ".join(rng.sample(_WORDS, 4)) + f" {rng.randrange(1000)}"})


def check(seen: Seen, before: Held, middle: Held, after: Held, *, longest_p99_s: float) -> list[str]:
    """What is wrong, a sentence each."""
    problems = [f"{len(seen.wrong)} answers were wrong, as {seen.wrong[0]}"] if seen.wrong else []
    if missing := {"good", "slow", "too slow", "broken"} - set(seen.outcomes):
        problems.append(f"no client was {', '.join(sorted(missing))}")
    if after.open_requests:
        problems.append(f"{after.open_requests} requests are still open")
    if after.descriptors > before.descriptors + 2:
        problems.append(f"{before.descriptors} descriptors became {after.descriptors}")
    if after.memory_mib > middle.memory_mib * 1.2 + 20:
        problems.append(f"memory grew from {middle.memory_mib:.0f} to {after.memory_mib:.0f} MiB in the second half")
    if seen.p99_s > longest_p99_s:
        problems.append(f"the 99th percentile was {seen.p99_s:.2f} s")
    return problems


def soak(connections: int, duration_s: float, longest_p99_s: float) -> tuple[Seen, list[str]]:
    """One soak of a server of its own: what was seen, and what is wrong."""
    server = Server()
    try:
        server.await_ready()
        before = server.held()
        first = asyncio.run(load(server.port, connections, duration_s / 2))
        time.sleep(2 * READ_TIMEOUT_MS / 1000)  # connections that were left end by themselves
        middle = server.held()
        seen = asyncio.run(load(server.port, connections, duration_s / 2))
        time.sleep(2 * READ_TIMEOUT_MS / 1000)
        after = server.held()
        seen.outcomes += first.outcomes
        seen.wrong += first.wrong
        seen.latencies_s += first.latencies_s
        problems = check(seen, before, middle, after, longest_p99_s=longest_p99_s)
        sys.stdout.write(f"{dict(seen.outcomes)}; p50 {seen.median_s:.3f} s, p99 {seen.p99_s:.3f} s\n")
        sys.stdout.write(f"{before} {middle} {after}\n")
        if code := server.stop():
            problems.append(f"it ended with exit code {code}")
        return seen, problems
    finally:
        server.process.kill()
        server.process.wait()


def main(
    connections: Annotated[int, typer.Option(min=6, help="Connections at once.")] = 200,
    duration_s: Annotated[float, typer.Option(min=2, help="Length in seconds.")] = 120,
    longest_p99_s: Annotated[float, typer.Option(help="Bound of the good requests' 99th percentile.")] = 2,
) -> None:
    """Run the soak; exit with 1 if anything is wrong."""
    _, problems = soak(connections, duration_s, longest_p99_s)
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    raise typer.Exit(bool(problems))


if __name__ == "__main__":
    typer.run(main)
