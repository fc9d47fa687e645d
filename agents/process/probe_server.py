"""A web server of a few pages for an orchestrator's probes, which strangers cannot use up.

It speaks as much HTTP as a probe needs: GET or HEAD, one request per connection. A connection ends after `REQUEST_S`,
and when `MOST_CONNECTIONS` are open a new one ends the oldest, so that a probe is answered whoever else is connected.
Bad requests are counted, and logged at most once a minute.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, TypeAlias

logger = logging.getLogger(__name__)

Page: TypeAlias = Callable[[], tuple[int, bytes]]
"""Returns a status code and a JSON document."""

REQUEST_S: Final = 5.0
MOST_CONNECTIONS: Final = 64
LOG_EVERY_S: Final = 60.0

_MOST_BYTES: Final = 8192
_REQUEST: Final = re.compile(rb"(?P<method>[A-Z]+) (?P<path>[!-~]+) HTTP/1\.[01]\r\n")
_BACKLOG: Final = 128


class ProbeServer:
    """Serves pages, by their paths. Use it on one event loop."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._pages: Mapping[str, Page] = {}
        self._open: dict[asyncio.StreamWriter, None] = {}  # in the order of their arrival
        self._refused: dict[str, int] = {}
        self._logged_at = float("-inf")
        self._server: asyncio.Server | None = None

    async def start(self, pages: Mapping[str, Page]) -> None:
        """Listen, and serve `pages`. Raises OSError when the port is taken."""
        self._pages = pages
        self._server = await asyncio.start_server(
            self._serve, self._host, self._port, limit=_MOST_BYTES, backlog=_BACKLOG
        )

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= MOST_CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
            self._count("closed for a newer one")
        self._open[writer] = None
        try:
            async with asyncio.timeout(REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
                writer.write_eof()
                while await reader.read(_MOST_BYTES):  # an unread byte would turn our close into a reset
                    pass
        except TimeoutError:
            self._count("too slow")
        except asyncio.LimitOverrunError:
            self._count("too long")
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone, as one does that only tries whether the port is open
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    def _answer(self, head: bytes) -> bytes:
        request = _REQUEST.match(head)
        if request is None:
            self._count("malformed")
            return _response(HTTPStatus.BAD_REQUEST)
        if request["method"] not in (b"GET", b"HEAD"):
            return _response(HTTPStatus.METHOD_NOT_ALLOWED)
        page = self._pages.get(request["path"].partition(b"?")[0].decode("ascii"))
        if page is None:
            return _response(HTTPStatus.NOT_FOUND)
        status, body = page()
        return _response(HTTPStatus(status), body, with_body=request["method"] == b"GET")

    def _count(self, what: str) -> None:
        self._refused[what] = self._refused.get(what, 0) + 1
        if time.monotonic() - self._logged_at >= LOG_EVERY_S:
            counts = ", ".join(f"{count} {reason}" for reason, count in self._refused.items())
            logger.warning("the probe port has refused connections: %s", counts)
            self._refused.clear()
            self._logged_at = time.monotonic()


def _response(status: HTTPStatus, body: bytes = b"{}", *, with_body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "Content-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n"
        "Allow: GET, HEAD\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
