"""A status page on a port of its own, of a process that is made up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from sluicegate.agents.http.keys import KeyFile
from sluicegate.agents.http.status.page import StatusPage
from sluicegate.agents.process.probe_server import ProbeServer
from sluicegate.agents.settings import load_settings
from sluicegate.agents.status.reporter import READY, Reporter
from sluicegate.agents.status.standing import Standing
from sluicegate.agents.telemetry import Outcome, PrometheusPage, Telemetry
from sluicegate.agents.telemetry.levels import PartitionLag
from tests.support.ports import free_port

GOOD = Standing(
    state=READY,
    notices=(),
    models="tiny@1",
    policy="shop@2",
    in_flight=3,
    oldest_event_s=0.02,
    event_age_s=0.1,
    lags=(PartitionLag("queries.raw", 0, 7),),
)


@dataclass
class MadeUp:
    """A process; `standing` is how it is, and may be replaced."""

    port: int
    telemetry: Telemetry
    standing: Standing = GOOD

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def decide(self, count: int, verdict: str = "allow") -> None:
        """Record that events were decided."""
        for number in range(count):
            with self.telemetry.process_span(
                self.telemetry.extract([]), topic="queries.raw", partition=0, offset=number, group="g", body_size=1
            ) as event:
                self.telemetry.record_stage(event, "queue", 0, 2_000_000)
                self.telemetry.record_batch([event], 0, 5_000_000, model="tiny@1", input_tokens=4, output_tokens=0)
                outcome = Outcome(event_id="e", duration_s=0.02, verdict=verdict, answered_by="model")
                self.telemetry.record(event, outcome)


@asynccontextmanager
async def made_up(*, keys: KeyFile | None = None, **settings: object) -> AsyncIterator[MadeUp]:
    """A page that is served until the end of the block."""
    port, metrics = free_port(), PrometheusPage()
    telemetry = Telemetry.start(
        otlp_endpoint=None, sample_ratio=1, service_version="1", instance_id="test", prometheus=metrics
    )
    telemetry.observe(queue_depth=lambda: 2, events_in_flight=lambda: 3)
    process = MadeUp(port, telemetry)
    given = load_settings(http_port=port, **settings)
    telemetry.recent.with_text = given.status_text
    reporter = Reporter("worker of queries.raw on test", metrics, telemetry, lambda: process.standing)
    server = ProbeServer(given, metrics, StatusPage(given, reporter, keys))
    await server.start({"/readyz": lambda: (200, b"{}")})
    try:
        async with asyncio.timeout(120), httpx.AsyncClient(verify=False) as client:
            while not await _answers(client, port):  # noqa: ASYNC110 - nothing sets an event
                await asyncio.sleep(0.01)
            yield process
    finally:
        await server.stop()


async def _answers(client: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/readyz")).is_success
    except httpx.TransportError:
        return False
