"""The tools for assistants on the API's port: MCP over streamable HTTP at /mcp, behind the API's keys and limits.

    client ─► endpoint.py: key, rate, size ─► the MCP library ─► agents/mcp/tools.py ─► `decide_query`

The module needs the extra `mcp`. It is imported where SLUICE_HTTP_MCP is set.
"""

import asyncio
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sluicegate.agents.http.access import Access
from sluicegate.agents.http.deciding import Options, decide_query
from sluicegate.agents.http.route import Call, JsonRoute
from sluicegate.agents.http.service import HttpService
from sluicegate.agents.ledger.search import LedgerFile
from sluicegate.agents.ledger.topic_search import LedgerTopic
from sluicegate.agents.mcp.server import LOOPBACK, mcp_application, quiet_library_logs
from sluicegate.agents.mcp.tools import GateTools, Ledger
from sluicegate.agents.settings import Settings
from sluicegate.decision import GateDecision
from sluicegate.schemas.errors import RequestRefused

PATH: Final = "/mcp"

_current: ContextVar[Call[Any]] = ContextVar("current")
"""The request that a tool is called by. The library starts the tool's task in the context of the request."""


class McpDoor:
    """Answers MCP requests while `run` runs. Use it on one event loop."""

    def __init__(self, service: HttpService, access: Access) -> None:
        self._service = service
        self._hosts = LOOPBACK if access.key_file is None else None
        self._application: ASGIApp | None = None
        quiet_library_logs()

    @property
    def route(self) -> JsonRoute[msgspec.Raw]:
        """Its route. The library reads the body itself: here it is only checked."""
        return JsonRoute(PATH, "mcp", "Call a tool, over MCP.", msgspec.Raw, None, self._handle)

    async def run(self) -> None:
        """Serve until it is cancelled."""
        tools = GateTools(_ServiceGate(self._service), _ledger_of(self._service.settings))
        application = mcp_application(tools, path=PATH, hosts=self._hosts)
        async with application.router.lifespan_context(application):
            self._application = application
            try:
                await asyncio.Event().wait()
            finally:
                self._application = None

    async def _handle(self, _: HttpService, call: Call[msgspec.Raw]) -> Response:
        if self._application is None:
            raise RequestRefused("unavailable", "the tools are not served now: try again later")
        return _LibraryAnswer(self._application, call)


class _ServiceGate:
    """Decides for the tools as every other door decides, with the same audit records."""

    def __init__(self, service: HttpService) -> None:
        self._service = service

    async def decide(self, query: str, *, locale: str | None = None, surface: str | None = None) -> GateDecision:
        """The decision about `query`."""
        options = Options(locale=locale, surface=surface)
        return (await decide_query(self._service, _current.get(), query, options)).decision


class _LibraryAnswer(Response):
    """The library's answer to a request whose body was read already."""

    def __init__(self, application: ASGIApp, call: Call[msgspec.Raw]) -> None:
        super().__init__()
        self._application = application
        self._call = call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        body: list[bytes] = [bytes(self._call.body)]

        async def receive_again() -> Message:
            return {"type": "http.request", "body": body.pop()} if body else await receive()

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status_code = message["status"]
            await send(message)

        token = _current.set(self._call)
        try:
            await self._application(scope, receive_again, send_on)
        finally:
            _current.reset(token)


def _ledger_of(settings: Settings) -> Ledger | None:
    """Where `explain` finds the records of SLUICE_HTTP_LEDGER; None: nowhere. A spool is not searched."""
    kind, _, path = (settings.http_ledger or "").partition(":")
    match kind:
        case "file":
            return LedgerFile(Path(path))
        case "kafka":
            return LedgerTopic(settings)
        case _:
            return None
