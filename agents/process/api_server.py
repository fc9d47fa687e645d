"""The HTTP API on its port, for `sluice serve` and the worker: the application, its server, its background tasks."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from sluicegate.agents.background import BackgroundTasks
from sluicegate.agents.deciding.live_models import LiveModels
from sluicegate.agents.formatting.formatting import LoadedFormatting
from sluicegate.agents.http.access import Access
from sluicegate.agents.http.app import build_app
from sluicegate.agents.http.observing import Page
from sluicegate.agents.http.route import JsonRoute
from sluicegate.agents.http.server import HttpServer, listen
from sluicegate.agents.http.service import HttpService
from sluicegate.agents.http.status.page import StatusPage
from sluicegate.agents.review_queue import ReviewQueue
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry import EventSpan, PrometheusPage, Telemetry


class ApiServer:
    """Serves the HTTP API from `start` to `stop`. Use it on one event loop."""

    def __init__(
        self,
        settings: Settings,
        access: Access,
        telemetry: Telemetry,
        models: Callable[[], LiveModels[EventSpan] | None],
        formatting: LoadedFormatting | None,
        metrics: PrometheusPage,
        *,
        status: StatusPage | None = None,
        has_review_queue: bool = False,
    ) -> None:
        """`models` are those in service; None while there are none. Without `formatting` nothing is formatted.

        With `has_review_queue`, reviews are served.
        """
        self._formatting = formatting
        self._settings = settings
        self._access = access
        self._metrics = metrics
        self._status = status
        self._has_review_queue = has_review_queue
        self.service = HttpService(settings, telemetry, models)
        self._background = BackgroundTasks()
        self._resources = AsyncExitStack()
        self._server: HttpServer | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self, pages: Mapping[str, Page]) -> None:
        """Open the ledger and the review queue, start the formatter, then listen; `pages` are the probes by path.

        Raises:
            ConfigurationError: the ledger cannot be opened, or the port is taken.
            SpoolFailed: the ledger is a spool that cannot be opened, or that another process has open.
            ReviewQueueFailed: the review queue cannot be opened.
        """
        settings = self._settings
        await self._resources.enter_async_context(self.service.running())
        if self._has_review_queue:
            self.service.reviews = self._resources.enter_context(ReviewQueue.open(settings, make=True))
        if self._formatting:
            await self._resources.enter_async_context(self.service.formatting_with(self._formatting))
        app = build_app(
            self.service,
            self._access,
            pages,
            self._metrics,
            self._start_mcp() if settings.http_mcp else (),
            self._status.routes if self._status else (),
        )
        bound = listen(settings.http_host, settings.http_port)
        self._server = HttpServer(app, bound, settings.http_read_timeout_ms / 1000)
        self._serving = asyncio.create_task(self._server.run_until_stopped(), name="HTTP server")
        if self._status:
            self._status.start()
        if self._access.key_file:
            self._background.start("reader of the API keys", self._access.key_file.follow)

    def _start_mcp(self) -> Sequence[JsonRoute[Any]]:
        from sluicegate.agents.http.mcp_door import McpDoor  # it needs the extra `mcp`

        door = McpDoor(self.service, self._access)
        self._background.start("MCP server", door.run)
        return [door.route]

    async def ended(self) -> None:
        """Wait until the server ends by itself, as it does when it fails.

        Raises:
            Exception: what it failed with.
        """
        if self._serving:
            await asyncio.shield(self._serving)

    async def stop(self) -> None:
        """Refuse new requests, answer the open ones, close the port and every connection, then the rest."""
        settings = self._settings
        await self.service.drain((settings.deadline_ms + settings.http_read_timeout_ms) / 1000)
        if self._status:
            await self._status.stop()
        if self._server and self._serving:
            self._server.stop()
            await self._serving
        await self._background.stop()
        await self._resources.aclose()
