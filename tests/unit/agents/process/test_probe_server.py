"""The probe port against real connections, a thousand of them and broken ones."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import httpx
import pytest

from sluicegate.agents.process import probe_server
from sluicegate.agents.process.probe_server import MOST_CONNECTIONS, ProbeServer
from tests.support.ports import free_port

PAGES = {"/healthz": lambda: (200, b'{"status": "ok"}'), "/readyz": lambda: (503, b'{"status": "stopping"}')}


@asynccontextmanager
async def served() -> AsyncIterator[tuple[ProbeServer, int]]:
    port = free_port()
    server = ProbeServer("127.0.0.1", port)
    await server.start(PAGES)
    try:
        yield server, port
    finally:
        await server.stop()


async def get(port: int, path: str = "/healthz") -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(f"http://127.0.0.1:{port}{path}", timeout=5)


async def said_to(port: int, request: bytes) -> bytes:
    """The whole answer to `request`, until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_each_page_has_its_status_and_document() -> None:
    async with served() as (_, port):
        healthy, ready = await get(port), await get(port, "/readyz?verbose")
    assert (healthy.status_code, healthy.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (503, {"status": "stopping"})
    assert healthy.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"HEAD /healthz HTTP/1.1\r\n\r\n", b"200 OK"),
        (b"GET /healthz HTTP/1.0\r\n\r\n", b"200 OK"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"GET /graph/ HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"POST /healthz HTTP/1.1\r\n\r\n", b"405 Method Not Allowed"),
        (b"GET  HTTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"\x16\x03\x01\xff\r\n\r\n", b"400 Bad Request"),
        (b"GET /\xff HTTP/1.1\r\n\r\n", b"400 Bad Request"),
    ],
)
async def test_a_request_gets_one_answer_and_the_connection_ends(request_: bytes, status: bytes) -> None:
    async with served() as (_, port):
        answer = await said_to(port, request_)
    assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\n") == request_.startswith(b"HEAD")


async def test_a_thousand_idle_connections_keep_no_probe_from_its_answer() -> None:
    async with served() as (server, port):
        with ExitStack() as idle:
            for number in range(1000):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                idle.callback(writer.close)
                if number % 100 == 0:
                    assert (await get(port)).status_code == 200
            assert (await get(port)).status_code == 200
            assert len(server._open) <= MOST_CONNECTIONS


async def test_a_connection_that_sends_its_request_too_slowly_is_closed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(probe_server, "REQUEST_S", 0.1)
    async with served() as (server, port):
        assert await said_to(port, b"GET /healthz HTTP/1.1\r\n") == b""
        assert not server._open
    assert caplog.messages == ["the probe port has refused connections: 1 too slow"]


async def test_garbage_leaves_one_log_line_a_minute_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with served() as (_, port):
        for _ in range(20):
            await said_to(port, b"\x00garbage\r\n\r\n")
            await said_to(port, b"x" * 100_000)
        assert caplog.messages == ["the probe port has refused connections: 1 malformed"]
        monkeypatch.setattr(probe_server, "LOG_EVERY_S", 0)
        await said_to(port, b"\x00garbage\r\n\r\n")
    assert caplog.messages[1:] == ["the probe port has refused connections: 20 too long, 20 malformed"]
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_client_that_sends_nothing_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as (server, port):
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", port)):
                pass
        async with asyncio.timeout(5):
            while server._open:  # noqa: ASYNC110 - nothing sets an event
                await asyncio.sleep(0.01)
    assert caplog.messages == []
