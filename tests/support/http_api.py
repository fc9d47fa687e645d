"""The HTTP application on a port of its own, in the test's event loop, with the real engine."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from sluicegate.agents.deciding.batch_observer import batch_observers
from sluicegate.agents.deciding.live_models import LiveModels, LoadedModels, load_models
from sluicegate.agents.formatting.formatting import LoadedFormatting
from sluicegate.agents.http.access import Access
from sluicegate.agents.http.app import build_app
from sluicegate.agents.http.mcp_door import McpDoor
from sluicegate.agents.http.server import HttpServer, listen
from sluicegate.agents.http.service import HttpService
from sluicegate.agents.settings import Settings, load_settings
from sluicegate.agents.telemetry import EventSpan, Telemetry
from sluicegate.models.artifacts.registry import served_from
from sluicegate.models.inference.judge import EncodedQuery, Judge, ModelResult
from tests.support.ports import free_port


class HeldJudge:
    """A judge that answers only once it is released."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.asked = threading.Semaphore(0)
        self.release = threading.Event()
        self.manifest, self.policy, self.cost = judge.manifest, judge.policy, judge.cost
        self.replicas = judge.replicas

    def encode(self, text: str, locale: str | None = None, *, correct: bool = True) -> EncodedQuery:
        return self._judge.encode(text, locale, correct=correct)

    def is_name(self, word: str) -> bool:
        return self._judge.is_name(word)

    def judge(self, batch: Sequence[EncodedQuery]) -> list[ModelResult]:
        self.asked.release()
        assert self.release.wait(30)
        return self._judge.judge(batch)

    async def is_asked(self) -> None:
        """Wait until it is asked once more."""
        assert await asyncio.to_thread(self.asked.acquire, timeout=30)


@dataclass(frozen=True)
class Api:
    """A running application, a client of it, and what it works with."""

    client: httpx.AsyncClient
    service: HttpService
    server: HttpServer
    port: int
    models: LiveModels[EventSpan]


@asynccontextmanager
async def serving(
    judge: Judge | None = None,
    telemetry: Telemetry | None = None,
    models: LoadedModels | None = None,
    **settings: object,
) -> AsyncIterator[Api]:
    """The application with `settings`, by their names in `Settings`; `judge` or `models` replace the engine."""
    port = free_port()
    given = load_settings(http_port=port, **settings)
    observed = telemetry or Telemetry.off()
    async with LiveModels.running(models or _loaded(given, judge), given, batch_observers(observed)) as live:
        service = HttpService(given, observed, lambda: live)
        access = Access(given)
        async with service.running(), service.formatting_with(LoadedFormatting.load(given)):
            door = McpDoor(service, access) if given.http_mcp else None
            tools = asyncio.create_task(door.run(), name="MCP server") if door else None
            server = HttpServer(
                build_app(service, access, {"/livez": lambda: (200, b"{}")}, more=[door.route] if door else []),
                listen(given.http_host, port),
                given.http_read_timeout_ms / 1000,
            )
            running = asyncio.create_task(server.run_until_stopped(), name="HTTP server")
            try:
                async with (
                    asyncio.timeout(60),
                    httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, verify=False) as client,
                ):
                    yield Api(client, service, server, port, live)
            finally:
                server.stop()
                await running
                if tools:
                    tools.cancel()
                    await asyncio.wait([tools])


def _loaded(settings: Settings, judge: Judge | None) -> LoadedModels:
    if judge is None:
        return load_models(settings)
    served = served_from(settings.model)
    return LoadedModels(served, {served.model: judge})


async def exchange(port: int, request: bytes) -> bytes:
    """The whole answer to the raw `request`, until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 30)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
