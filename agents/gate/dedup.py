"""Publishes one set of outputs for an event that arrives twice: a window over the last events that were decided.

    event ──► decided before? ──► nothing to do
              in flight? ──► wait a little for it, then the same question
              neither ──► process it, and remember it once it is decided

An event is identified by its id and its bytes, so two queries with the same id are two events. A dead letter is not
remembered, so that a retry gets another chance. Replays do not pass through the window: they must be decided again.

Limits. The window is the memory of one process: it is lost at a restart and not handed over at a rebalance, and it has
only the last `size` events. An event that waited a few seconds for an equal one is processed as well. Consumers that
must see an event once still use `event_id`. Lives on one event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import blake2b

from cachetools import FIFOCache

from sluicegate.agents.time_budget import DEDUP_WAIT_S


class DedupWindow:
    """The last `size` events that were decided, 0.2 kB each."""

    def __init__(self, size: int) -> None:
        self._decided: FIFOCache[bytes, None] = FIFOCache(size)
        self._in_flight: dict[bytes, asyncio.Future[None]] = {}

    async def once(self, event_id: str, value: bytes | None, process: Callable[[], Awaitable[bool]]) -> bool:
        """Await `process`, which says whether it decided the event, unless that has been done; returns whether it was.

        Raises what `process` raises; the event is not remembered then.
        """
        event = digest(event_id, value)
        if twin := self._in_flight.get(event):
            await asyncio.wait([twin], timeout=DEDUP_WAIT_S)
        if event in self._decided:
            return False
        flight = self._in_flight[event] = asyncio.get_running_loop().create_future()
        try:
            if await process():
                self._decided[event] = None
        finally:
            if self._in_flight.get(event) is flight:  # else an equal event took over
                del self._in_flight[event]
            flight.set_result(None)
        return True


def digest(event_id: str, value: bytes | None) -> bytes:
    """Identifies an event by its id and its bytes."""
    return blake2b(b"%s\0%s" % (event_id.encode(), value or b""), digest_size=16).digest()
