"""Whose turn it is: limits on the requests at once, and on their rate. Whoever has none yet waits in line."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

_LEAST_WAIT_S: Final = 0.005


class Turns:
    """At most `concurrency` requests at once, and at most `rate` of them, as in ``600/minute``. For one event loop."""

    def __init__(self, concurrency: int, rate: str | None) -> None:
        """Raises ValueError if `rate` is not one; the settings have checked it."""
        self._places = asyncio.Semaphore(concurrency)
        self._item = parse(rate) if rate else None
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn; it ends with the block. Cancelling the wait costs nobody a turn."""
        async with self._places:
            if self._item:
                while not await self._limiter.hit(self._item):
                    window = await self._limiter.get_window_stats(self._item)
                    await asyncio.sleep(max(_LEAST_WAIT_S, window.reset_time - time.time()))
            yield
