"""`sluice mcp` as a process: its raw lines over standard streams, or its address over HTTP."""

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from tests.support.ports import free_port

COMMAND = [sys.executable, "-m", "sluicegate", "mcp"]
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": "first",
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def call(number: int, tool: str, **arguments: object) -> dict[str, Any]:
    """A request that calls `tool`."""
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


def written(*messages: object) -> bytes:
    """The messages as a client writes them; bytes are written as they are."""
    return b"".join((each if isinstance(each, bytes) else orjson.dumps(each)) + b"\n" for each in messages)


@contextmanager
def mcp_process(*options: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """`sluice mcp` with pipes for all three streams. It is killed at the end if it still runs."""
    with subprocess.Popen(
        [*COMMAND, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def send(process: subprocess.Popen[bytes], *messages: object) -> None:
    """Write `messages` to the process's standard input."""
    assert process.stdin
    process.stdin.write(written(*messages))
    process.stdin.flush()


def receive(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The next message of the process."""
    assert process.stdout
    message = orjson.loads(process.stdout.readline())
    assert isinstance(message, dict)
    return message


@contextmanager
def mcp_over_http(*options: str) -> Iterator[str]:
    """The address of a `sluice mcp --http` that answers."""
    port = free_port()
    with mcp_process("--http", f"127.0.0.1:{port}", *options) as process:
        log = _read_until(process, rb"serving (http://\S+/mcp)")
        yield log
        process.terminate()
        assert process.wait(60) == 0


def _read_until(process: subprocess.Popen[bytes], pattern: bytes, timeout_s: float = 120) -> str:
    assert process.stderr
    log, deadline = b"", time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if select.select([process.stderr], [], [], 1)[0]:
            log += os.read(process.stderr.fileno(), 65536)
            if found := re.search(pattern, log):
                return found.group(1).decode().rstrip('"}')
        assert process.poll() is None, log
    raise AssertionError(f"not logged: {pattern!r}: {log!r}")
