"""The rate of each client's requests, by the library `limits`: a sliding window in memory."""

import time

from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from sluicegate.schemas.errors import RequestRefused


class RateLimit:
    """Lets each client make `rate` requests, for example "100/second". Used on one event loop."""

    def __init__(self, rate: str) -> None:
        """Raises ValueError if `rate` is not one; the settings have checked it."""
        self._rate = rate
        self._item = parse(rate)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def check(self, client: str) -> None:
        """Count one request of `client`.

        Raises:
            RequestRefused: it has made too many.
        """
        if await self._limiter.hit(self._item, client):
            return
        window = await self._limiter.get_window_stats(self._item, client)
        raise RequestRefused(
            "rate_limited",
            f"more than {self._rate} requests (SLUICE_HTTP_RATE): send fewer, or later",
            retry_after_s=window.reset_time - time.time(),
        )
