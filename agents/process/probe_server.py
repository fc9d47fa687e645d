"""The port of a worker without the HTTP API, which strangers cannot use up: probes and metrics."""

import asyncio
from collections.abc import Mapping
from typing import Final

from sluicegate.agents.http.observing import Page, build_observing_app
from sluicegate.agents.http.server import HttpServer, listen
from sluicegate.agents.http.status.page import StatusPage
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry import PrometheusPage

REQUEST_S: Final = 5.0
"""The longest that a client may take to send a request."""
MOST_CONNECTIONS: Final = 256
"""With so many open, a new one ends the oldest."""


class ProbeServer:
    """Serves the pages of one worker from `start` to `stop`. Use it on one event loop."""

    def __init__(self, settings: Settings, metrics: PrometheusPage, status: StatusPage | None = None) -> None:
        self._settings, self._metrics, self._status = settings, metrics, status
        self._server: HttpServer | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self, pages: Mapping[str, Page]) -> None:
        """Listen, and serve `pages`, by their paths. Raises ConfigurationError if the port is taken."""
        app = build_observing_app(pages, self._metrics, self._status.routes if self._status else ())
        bound = listen(self._settings.http_host, self._settings.http_port)
        self._server = HttpServer(app, bound, REQUEST_S, MOST_CONNECTIONS)
        self._serving = asyncio.create_task(self._server.run_until_stopped(), name="probe server")
        if self._status:
            self._status.start()

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._status:
            await self._status.stop()
        if self._server and self._serving:
            self._server.stop()
            await self._serving
