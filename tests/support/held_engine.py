"""A micro-batcher whose engine waits to be released, so that a test decides what is queued when a batch is formed."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager

from sluicegate.agents.deciding.micro_batcher import Batched, MicroBatcher
from sluicegate.models.inference.batch_cost import BatchCost

Batcher = MicroBatcher[str, str]
APART = BatchCost(call=1, token=1, step=1000, member=1, answer=0)
"""A cost model by which lanes never share a batch."""
LATER = 60.0
SOON = 0.03
"""Seconds until a deadline."""


class HeldEngine:
    """Announces each batch as it starts, and answers it only when released."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._permits = threading.Semaphore(0)
        self.started: asyncio.Queue[list[str]] = asyncio.Queue()

    def run(self, batch: Sequence[str]) -> list[str]:
        self._loop.call_soon_threadsafe(self.started.put_nowait, list(batch))
        self._permits.acquire()
        return [word.upper() for word in batch]

    def release(self, batches: int = 1) -> None:
        self._permits.release(batches)


@asynccontextmanager
async def held(batch_size: int = 4, capacity: int = 100) -> AsyncIterator[tuple[Batcher, HeldEngine]]:
    """A batcher whose engine already runs a batch of its own, the word "first": whatever is submitted now gathers."""
    engine = HeldEngine()
    try:
        async with MicroBatcher(
            engine.run, length=len, cost=APART, batch_size=batch_size, capacity=capacity
        ) as batcher:
            first = submitted(batcher, "first")
            assert await engine.started.get() == ["first"]
            yield batcher, engine
            engine.release(1000)
            await first
    finally:
        engine.release(1000)


def submitted(batcher: Batcher, word: str, within_s: float = LATER) -> asyncio.Task[Batched[str]]:
    loop = asyncio.get_running_loop()
    return loop.create_task(batcher.submit(word, deadline=loop.time() + within_s), name=word)


async def gathered(batcher: Batcher, count: int) -> None:
    """Wait until `count` words are queued."""
    async with asyncio.timeout(5):
        while batcher.depth != count:  # noqa: ASYNC110 - the depth is all that a batcher shows
            await asyncio.sleep(0)


async def results(tasks: Sequence[Awaitable[Batched[str]]]) -> list[str]:
    return [answer.result for answer in await asyncio.gather(*tasks)]
