"""The micro-batcher: many waiting queries, one engine, never idle while there is work and never waiting when idle.

    submit ──► lanes, one per token count ──► the owner task ──► one engine thread
                 7: ●●●            takes the lane whose most urgent member is the most urgent of all,
                12: ●●●●●●●        as many of that lane as a batch holds, most urgent first
                31: ●

* Work-conserving: an idle engine starts at once on what is there; while it runs, the next batch gathers. No time-outs.
* Equal lengths: the engine prefills a batch only to its shortest member, so a batch is members of one lane.
* Bounded: when `capacity` wait, `submit` waits for room; that is the back-pressure up to Kafka.
* Deadlines order the work and end the wait: `submit` raises when its deadline passes, wherever the query then is.
* Cancelled and expired members leave their lane and cost the engine nothing.

All state belongs to the event loop; only `run_batch` runs elsewhere, in a thread of its own.
"""

import asyncio
import heapq
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Self, TypeVar

from schemas.errors import DeadlineExceeded, EngineFailed

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Batched(Generic[ResultT]):
    """A result with its batch's size and times (`time.time_ns`)."""

    result: ResultT
    batch_size: int
    queued_ns: int
    started_ns: int
    ended_ns: int


@dataclass(order=True, slots=True)
class _Entry(Generic[ItemT, ResultT]):
    deadline: float
    sequence: int
    item: ItemT = field(compare=False)
    answer: "asyncio.Future[Batched[ResultT]]" = field(compare=False)
    queued_ns: int = field(compare=False)


class MicroBatcher(Generic[ItemT, ResultT]):
    """Feeds `run_batch` with batches of items of equal length. An async context manager, used on one event loop."""

    def __init__(
        self,
        run_batch: Callable[[Sequence[ItemT]], Sequence[ResultT]],
        *,
        length: Callable[[ItemT], int],
        batch_size: int,
        capacity: int,
    ) -> None:
        """`run_batch` blocks, in a thread, and answers in order; `length` of all items of a batch is equal."""
        self._run_batch = run_batch
        self._length = length
        self._batch_size = batch_size
        self._lanes: dict[int, list[_Entry[ItemT, ResultT]]] = {}
        self._room = asyncio.BoundedSemaphore(capacity)
        self._arrived = asyncio.Event()
        self._sequence = 0
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._owner: asyncio.Task[None] | None = None

    @property
    def depth(self) -> int:
        """Queries that wait for the engine."""
        return self._waiting

    async def __aenter__(self) -> Self:
        self._owner = asyncio.create_task(self._feed_engine(), name="microbatcher")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._owner:
            self._owner.cancel()
            await asyncio.gather(self._owner, return_exceptions=True)
        for lane in self._lanes.values():
            for entry in lane:
                entry.answer.cancel()
        self._lanes.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def submit(self, item: ItemT, *, deadline: float) -> Batched[ResultT]:
        """The engine's result for `item`.

        `deadline` is a time of the event loop's clock. Cancelling the caller frees the item's place.

        Raises:
            DeadlineExceeded: it passed before the result was there.
            EngineFailed: `run_batch` raised on the item's batch.
        """
        try:
            async with asyncio.timeout_at(deadline), self._room:
                entry = self._enqueue(item, deadline)
                try:
                    return await entry.answer
                except asyncio.CancelledError:
                    self._shed(self._length(item))
                    raise
        except TimeoutError:
            raise DeadlineExceeded("the model did not answer before the event's deadline") from None

    def _enqueue(self, item: ItemT, deadline: float) -> _Entry[ItemT, ResultT]:
        self._sequence += 1
        answer: asyncio.Future[Batched[ResultT]] = asyncio.get_running_loop().create_future()
        entry = _Entry(deadline, self._sequence, item, answer, time.time_ns())
        heapq.heappush(self._lanes.setdefault(self._length(item), []), entry)
        self._waiting += 1
        self._arrived.set()
        return entry

    def _next_batch(self) -> list[_Entry[ItemT, ResultT]]:
        """The most urgent batch, without its dead members; empty when nothing waits."""
        for length in list(self._lanes):
            self._shed(length)
        batch: list[_Entry[ItemT, ResultT]] = []
        if self._lanes:
            length = min(self._lanes, key=lambda lane: self._lanes[lane][0])
            while length in self._lanes and len(batch) < self._batch_size:
                batch.append(heapq.heappop(self._lanes[length]))
                self._waiting -= 1
                self._shed(length)
        return batch

    def _shed(self, length: int) -> None:
        """Drop the cancelled and expired heads of a lane, and the lane once it is empty.

        Done on every cancellation too, not only when a batch is made: a stuck engine must not fill the memory.
        """
        lane = self._lanes.get(length, [])
        now = asyncio.get_running_loop().time()
        while lane and (lane[0].answer.done() or lane[0].deadline <= now):
            heapq.heappop(lane)
            self._waiting -= 1
        if not lane:
            self._lanes.pop(length, None)

    async def _feed_engine(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while batch := self._next_batch():
                await self._run(loop, batch)

    async def _run(self, loop: asyncio.AbstractEventLoop, batch: list[_Entry[ItemT, ResultT]]) -> None:
        started_ns = time.time_ns()
        try:
            results = await loop.run_in_executor(self._thread, self._run_batch, [entry.item for entry in batch])
            answered = list(zip(batch, results, strict=True))
        except asyncio.CancelledError:
            for entry in batch:
                entry.answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever the engine raises is the answer to its batch
            failure = error if isinstance(error, EngineFailed) else EngineFailed(f"{type(error).__name__}: {error}")
            for entry in batch:
                if not entry.answer.done():
                    entry.answer.set_exception(failure)
            return
        ended_ns = time.time_ns()
        for entry, result in answered:
            if not entry.answer.done():
                entry.answer.set_result(Batched(result, len(batch), entry.queued_ns, started_ns, ended_ns))
