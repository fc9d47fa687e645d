"""The MCP server around the tools, for any transport, and as an ASGI application.

It is built on the library's low-level server: the schemas are those of our contracts, which the high-level one would
derive from function signatures.
"""

import logging
from collections.abc import Sequence
from typing import Any, Final

from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams
from starlette.applications import Starlette
from starlette.routing import Route

from sluicegate.agents.mcp.tools import INSTRUCTIONS, TOOLS, GateTools
from sluicegate.schemas.version import VERSION

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
"""The hosts that a browser on this machine can be made to name only by a page of this machine."""


def quiet_library_logs() -> None:
    """Log warnings of the library only: at lower levels it quotes what clients send."""
    logging.getLogger("mcp").setLevel(logging.WARNING)


def mcp_server(tools: GateTools) -> Server[Any]:
    """A server of `tools`."""

    async def list_tools(_: ServerRequestContext[Any], __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=list(TOOLS))

    async def call_tool(_: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        result = await tools.call(params.name, params.arguments or {})
        if result is None:
            raise MCPError(INVALID_PARAMS, "there is no such tool: use " + ", ".join(tool.name for tool in TOOLS))
        return result

    return Server(
        "sluicegate",
        version=VERSION,
        title="Sluicegate",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def mcp_application(tools: GateTools, *, path: str = "/mcp", hosts: Sequence[str] | None = LOOPBACK) -> Starlette:
    """The server over streamable HTTP, at `path`, without sessions: requests may go to any process.

    Requests must name one of `hosts`, with any port, in their `Host` and, from a browser, in their `Origin`: otherwise
    a web page could reach the server through DNS rebinding. None accepts every host: for a server that checks keys.

    Starlette does not run the lifespan of what it mounts. Enter it in that of the outer application, once:
    ``async with application.router.lifespan_context(application)``.
    """
    security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    if hosts is not None:
        security = TransportSecuritySettings(
            allowed_hosts=[name for host in hosts for name in (host, f"{host}:*")],
            allowed_origins=[
                name
                for host in hosts
                for scheme in ("http", "https")
                for name in (f"{scheme}://{host}", f"{scheme}://{host}:*")
            ],
        )
    manager = StreamableHTTPSessionManager(
        mcp_server(tools), json_response=True, stateless=True, security_settings=security
    )
    # Without sessions a GET would open a stream that nothing is ever sent on.
    route = Route(path, StreamableHTTPASGIApp(manager), methods=["POST"])
    return Starlette(routes=[route], lifespan=lambda _: manager.run())
