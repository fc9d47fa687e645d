"""uvicorn for our application: httptools, no signals of its own, and limits on what a client may do to a connection.

A request must arrive completely, head and body, within SLUICE_HTTP_READ_TIMEOUT_MS of its first byte, and its head
must be of a reasonable size. uvicorn has no such limits. A client that breaks them, or does not speak HTTP, gets an
error of `errors.py` and its connection ends. Where the number of connections is limited, a new one ends the oldest, so
that a probe is answered whoever else is connected.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sluicegate.agents.http.errors import response_to
from sluicegate.agents.time_budget import END_CONNECTIONS_S
from sluicegate.schemas.errors import ConfigurationError, RequestRefused

MOST_HEAD_BYTES: Final = 32_768
MOST_HEADERS: Final = 100
_BACKLOG: Final = 512
_KEEP_ALIVE_S: Final = 30


class HeadTooLarge(Exception):
    """The head of a request is larger than a client has reason to send."""


def protocol_of(read_timeout_s: float, most_connections: int | None = None) -> type[HttpToolsProtocol]:
    """The protocol of a connection whose requests arrive within `read_timeout_s`.

    A scope has, at "sluicegate.abort", a function that ends the connection at once.
    """
    open_connections: dict[HttpToolsProtocol, None] = {}  # in the order of their arrival

    class LimitedProtocol(HttpToolsProtocol):
        """Adds the limits to uvicorn's protocol."""

        _timer: asyncio.TimerHandle | None = None
        _in_head = True
        _head_bytes = 0
        _received_bytes = 0
        _head_too_large = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            if most_connections is not None and len(open_connections) >= most_connections:
                oldest = next(iter(open_connections))
                del open_connections[oldest]
                oldest.transport.abort()
            open_connections[self] = None
            super().connection_made(transport)
            self._start_timer()

        def connection_lost(self, exc: Exception | None) -> None:
            open_connections.pop(self, None)
            self._stop_timer()
            self._unset_keepalive_if_required()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._timer is None:  # the next request of this connection
                self._start_timer()
            self._received_bytes = len(data) + (self._received_bytes if self._in_head else 0)
            super().data_received(data)
            if self._in_head and self._received_bytes > MOST_HEAD_BYTES:  # the parser holds a header until its end
                self._head_too_large = True
                self.send_400_response("")

        def on_message_begin(self) -> None:
            self._in_head, self._head_bytes = True, 0
            super().on_message_begin()
            self.scope["sluicegate.abort"] = self.transport.abort  # type: ignore[typeddict-unknown-key]

        def on_headers_complete(self) -> None:
            self._in_head = False
            super().on_headers_complete()

        def on_url(self, url: bytes) -> None:
            self._count(len(url))
            super().on_url(url)

        def on_header(self, name: bytes, value: bytes) -> None:
            self._count(len(name) + len(value))
            super().on_header(name, value)

        def on_message_complete(self) -> None:
            self._stop_timer()
            super().on_message_complete()

        def send_400_response(self, msg: str) -> None:
            if self._head_too_large:
                self._end(RequestRefused("headers_too_large", f"the head is larger than {MOST_HEAD_BYTES} bytes"))
            else:
                self._end(RequestRefused("invalid_request", "the request is not valid HTTP/1.1"))

        def _count(self, size: int) -> None:
            self._head_bytes += size
            if self._head_bytes > MOST_HEAD_BYTES or len(self.headers) >= MOST_HEADERS:
                self._head_too_large = True
                raise HeadTooLarge

        def _start_timer(self) -> None:
            self._timer = self.loop.call_later(read_timeout_s, self._too_slow)

        def _stop_timer(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _too_slow(self) -> None:
            self._timer = None
            self._end(RequestRefused("request_timeout", f"the request did not arrive within {read_timeout_s:g} s"))

        def _end(self, refusal: RequestRefused) -> None:
            """Answer with `refusal`, unless an answer has begun, and close the connection."""
            self._stop_timer()
            if self.transport.is_closing():
                return
            if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
                self.transport.write(_raw_answer(refusal))
            if self.cycle is not None and not self.cycle.response_complete:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            self.transport.close()

    return LimitedProtocol


class HttpServer(uvicorn.Server):
    """Serves one application on one socket. Signals are the business of the process."""

    def __init__(
        self, app: ASGIApp, bound: socket.socket, read_timeout_s: float, most_connections: int | None = None
    ) -> None:
        config: Any = {
            "http": protocol_of(read_timeout_s, most_connections),
            "ws": "none",
            "loop": "none",
            "lifespan": "off",
            "interface": "asgi3",
            "log_config": None,
            "access_log": False,
            "proxy_headers": False,
            "server_header": False,
            "timeout_keep_alive": _KEEP_ALIVE_S,
            "timeout_graceful_shutdown": int(END_CONNECTIONS_S),
        }
        super().__init__(uvicorn.Config(app, **config))
        self._bound = bound

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers."""
        yield

    async def run_until_stopped(self) -> None:
        """Serve until `stop`, then close every connection."""
        await self.serve([self._bound])

    def stop(self) -> None:
        """End `run_until_stopped`."""
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on `host` and `port`.

    Raises:
        ConfigurationError: it cannot.
    """
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=_BACKLOG
        )
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; set SLUICE_HTTP_HOST and SLUICE_HTTP_PORT"
        ) from None


def _raw_answer(refusal: RequestRefused) -> bytes:
    response = response_to(refusal)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(response.body)),
        (b"connection", b"close"),
        *response.headers,
    ]
    head = b"".join(b"%s: %s\r\n" % header for header in headers)
    return b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (response.status, response.status.phrase.encode(), head, response.body)
