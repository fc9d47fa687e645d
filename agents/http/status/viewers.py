"""One snapshot a second for all who watch, as server-sent events. https://html.spec.whatwg.org/#server-sent-events

Reporter ─► one snapshot, encoded once ─┬─► viewer
                                        ├─► viewer
                                        └─► a viewer that does not read: its connection is closed
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from sluicegate.agents.status.reporter import UNWATCHED_S, WATCHED_S
from sluicegate.agents.status.snapshot import Snapshot

MOST_VIEWERS: Final = 64
SLOW_S: Final = 5.0
"""A viewer that has not taken a snapshot for so long is dropped."""

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]
_RETRY: Final = b"retry: 2000\n\n"
"""A browser that loses the stream asks for it again after two seconds."""


class Viewers:
    """Those who watch. Used on one event loop."""

    def __init__(self, snapshot: Callable[[], Awaitable[Snapshot]]) -> None:
        self._snapshot = snapshot
        self._watching = 0
        self._latest: Snapshot | None = None
        self._made_at = 0.0
        self._making = asyncio.Lock()
        self._event = b""
        self._made = asyncio.Event()
        self._wanted = asyncio.Event()
        self._stopping = False

    @property
    def is_full(self) -> bool:
        """Whether no more can watch."""
        return self._watching >= MOST_VIEWERS

    async def latest(self) -> Snapshot:
        """A snapshot that is at most two seconds old."""
        if self._latest is None or time.monotonic() - self._made_at > 2 * WATCHED_S:
            return await self._make()
        return self._latest

    async def run(self) -> None:
        """Make snapshots. Does not return."""
        while True:
            await self._make()
            try:
                async with asyncio.timeout(WATCHED_S if self._watching else UNWATCHED_S):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()

    def stop(self) -> None:
        """End every stream."""
        self._stopping = True
        self._publish()

    async def watch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send each snapshot until the viewer goes, or is too slow."""
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        self._watching += 1
        gone = asyncio.create_task(_gone(receive), name="viewer")
        try:
            if self._watching == 1:
                self._wanted.set()
            body = _RETRY + self._event
            while not self._stopping and not gone.done():
                async with asyncio.timeout(SLOW_S):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                made = asyncio.create_task(self._made.wait(), name="next snapshot")
                await asyncio.wait([made, gone], return_when=asyncio.FIRST_COMPLETED)
                made.cancel()
                body = self._event
            if not gone.done():
                await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            scope["sluicegate.abort"]()
        finally:
            self._watching -= 1
            gone.cancel()

    async def _make(self) -> Snapshot:
        async with self._making:
            snapshot = self._latest = await self._snapshot()
            self._made_at = time.monotonic()
            self._event = b"data: %s\n\n" % msgspec.json.encode(snapshot)
        self._publish()
        return snapshot

    def _publish(self) -> None:
        made, self._made = self._made, asyncio.Event()
        made.set()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
