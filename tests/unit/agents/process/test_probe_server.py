"""The port of a worker without the HTTP API against real connections, a thousand of them and broken ones."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from sluicegate.agents.process import probe_server
from sluicegate.agents.process.probe_server import MOST_CONNECTIONS, ProbeServer
from sluicegate.agents.settings import load_settings
from sluicegate.agents.telemetry import Outcome, PrometheusPage, Telemetry
from tests.support.ports import free_port

PAGES = {"/healthz": lambda: (200, b'{"status": "ok"}'), "/readyz": lambda: (503, b'{"status": "stopping"}')}


@asynccontextmanager
async def served() -> AsyncIterator[tuple[PrometheusPage, int]]:
    port, metrics = free_port(), PrometheusPage()
    server = ProbeServer(load_settings(http_port=port), metrics)
    await server.start(PAGES)
    try:
        async with asyncio.timeout(60):
            while not await is_open(port):  # noqa: ASYNC110 - nothing sets an event
                await asyncio.sleep(0.01)
            yield metrics, port
    finally:
        await server.stop()


async def is_open(port: int) -> bool:
    try:
        await get(port)
    except httpx.TransportError:
        return False
    return True


async def get(port: int, path: str = "/healthz", accept: str = "*/*") -> httpx.Response:
    async with httpx.AsyncClient(verify=False) as client:
        return await client.get(f"http://127.0.0.1:{port}{path}", timeout=5, headers={"accept": accept})


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
    assert healthy.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"HEAD /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", b"200 OK"),
        (b"GET /healthz HTTP/1.0\r\n\r\n", b"200 OK"),
        (b"GET /graph/ HTTP/1.1\r\nConnection: close\r\n\r\n", b"404 Not Found"),
        (b"POST /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", b"405 Method Not Allowed"),
        (b"GET  HTTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"\x16\x03\x01\xff\r\n\r\n", b"400 Bad Request"),
        (b"GET /\xff HTTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", b"431 Request Header Fields Too Large"),
    ],
)
async def test_a_request_gets_one_answer_and_the_connection_ends(
    request_: bytes, status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with served() as (_, port):
        answer = await said_to(port, request_)
    assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert b"\r\nconnection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\n") == request_.startswith(b"HEAD")
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_thousand_idle_connections_keep_no_probe_from_its_answer() -> None:
    async with served() as (_, port):
        with ExitStack() as idle:
            readers = []
            for number in range(1000):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                readers.append(reader)
                idle.callback(writer.close)
                if number % 100 == 0:
                    assert (await get(port)).status_code == 200
            assert (await get(port)).status_code == 200
            assert sum(not (reader.at_eof() or reader.exception()) for reader in readers) <= MOST_CONNECTIONS


async def test_a_connection_that_sends_its_request_too_slowly_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_server, "REQUEST_S", 0.1)
    async with served() as (_, port):
        assert b"408 Request Timeout" in await said_to(port, b"GET /healthz HTTP/1.1\r\n")


async def test_garbage_and_clients_that_send_nothing_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as (_, port):
        for _ in range(20):
            await said_to(port, b"\x00garbage\r\n\r\n")
            await said_to(port, b"x" * 100_000)
            with socket.create_connection(("127.0.0.1", port)):
                pass
        assert (await get(port)).status_code == 200
    ours = [record for record in caplog.records if record.name.startswith("sluicegate")]
    assert ours == []


async def test_the_metrics_are_there_in_both_formats_of_prometheus() -> None:
    async with served() as (page, port):
        telemetry = Telemetry.start(
            otlp_endpoint=None, sample_ratio=1, service_version="1", instance_id="test", prometheus=page
        )
        telemetry.observe(queue_depth=lambda: 2, events_in_flight=lambda: 3)
        with telemetry.process_span(
            telemetry.extract([]), topic="raw", partition=0, offset=0, group="g", body_size=1
        ) as event:
            telemetry.record(event, Outcome(event_id="e", duration_s=0.03, verdict="allow"))
        text = await get(port, "/metrics")
        openmetrics = await get(port, "/metrics", "application/openmetrics-text; version=1.0.0")
    assert text.headers["content-type"].startswith("text/plain; version=")
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    from_openmetrics = read_openmetrics(openmetrics.text)  # type: ignore[no-untyped-call]
    for families in (list(read_text(text.text)), list(from_openmetrics)):
        samples = {(sample.name, sample.labels.get("le")): sample.value for each in families for sample in each.samples}
        assert samples["sluicegate_queue_depth", None] == 2
        assert samples["messaging_process_duration_seconds_bucket", "0.025"] == 0
        assert samples["messaging_process_duration_seconds_bucket", "0.05"] == 1
        assert samples["messaging_process_duration_seconds_count", None] == 1
