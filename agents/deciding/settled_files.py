"""Following files while they are in use: they are taken again once they have changed and no longer change.

A file that is being copied changes at every look. Taken too early, it would be refused.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

LOOK_EVERY_S: Final = 1.0

StateT = TypeVar("StateT")


class SettledFiles(Generic[StateT]):
    """What `look` sees of some files. Make it before they are read: a change meanwhile is noticed."""

    def __init__(self, look: Callable[[], StateT], take: Callable[[], Awaitable[None]]) -> None:
        """`look` tells two states of the files apart, and may block; `take` reads the files anew."""
        self._look = look
        self._take = take
        self._taken = look()

    async def follow(self) -> None:
        """Take the files whenever they have settled in another state. Does not return."""
        latest = self._taken
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            found = await asyncio.to_thread(self._look)
            if found != self._taken and found == latest:
                self._taken = found
                await self._take()
            latest = found
