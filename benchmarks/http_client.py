"""A lean HTTP/1.1 client for load: requests are bytes that were made before, and of an answer only the length is read.

A real client would use up the processor time that the server should have.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

_LENGTH: Final = b"content-length: "
_OK: Final = b"HTTP/1.1 200"


def request_of(path: str, body: object) -> bytes:
    """A POST of `body` as JSON."""
    content = orjson.dumps(body)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


@dataclass(frozen=True)
class Load:
    """What became of some requests: the seconds of all, the client's own CPU, and those that were answered with 200."""

    wall_s: float
    cpu_s: float
    latencies_s: Sequence[float]
    failed: int


class Connection:
    """One connection that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> "Connection":
        """A connection to `port` of this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, request: bytes) -> tuple[bool, bytes]:
        """Whether the answer has status 200, and its body."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        began = head.index(_LENGTH) + len(_LENGTH)
        body = await self._reader.readexactly(int(head[began : head.index(b"\r\n", began)]))
        return head.startswith(_OK), body

    def close(self) -> None:
        """Close it."""
        self._writer.close()


async def send_all(port: int, requests: Sequence[bytes], connections: int) -> Load:
    """Send `requests` over `connections` at once, each one after the other."""
    opened = [await Connection.to(port) for _ in range(connections)]
    waiting: Iterator[bytes] = iter(requests)
    latencies_s: list[float] = []
    failed = 0

    async def work(connection: Connection) -> None:
        nonlocal failed
        for request in waiting:
            began = time.perf_counter()
            is_ok, _ = await connection.send(request)
            if is_ok:
                latencies_s.append(time.perf_counter() - began)
            else:
                failed += 1

    began, began_cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*map(work, opened))
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    for connection in opened:
        connection.close()
    return Load(wall_s, cpu_s, latencies_s, failed)
