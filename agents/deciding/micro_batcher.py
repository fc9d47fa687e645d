"""The micro-batcher: many waiting queries, one engine, never idle while there is work and never waiting when idle.

    submit ──► lanes, one per token count ──► owner tasks, ──► engine threads
                 7: ●●●            one per      the lane whose most urgent member is the most urgent of all,
                 8: ●              replica      and its neighbours where one batch costs less than two
                31: ●●●●●●●

* Work-conserving: an idle engine starts at once on what is there; while it runs, the next batch gathers. No time-outs.
* Lengths: the engine prefills a batch up to its shortest member in one pass, and feeds it the rest of the longer ones
  token by token. A lane is therefore the natural batch; but each batch pays for its own decoding, so two lanes of
  nearly equal length cost less together. `merged_lanes` asks the cost model (`models.inference.batch_cost`) each time:
  it begins with the most urgent query's lane and takes in its neighbours, nearest first, as long as one batch is
  cheaper than two. Nothing is padded, so a query's answer does not depend on who shares its batch.
* Order: earliest deadline first, among lanes and within one. A query can be overtaken by its neighbours in length, but
  its urgency only grows: in time it is the most urgent of all, and then it is its lane that goes.
* Bounded: when `capacity` wait, `submit` waits for room; that is the back-pressure up to Kafka.
* Deadlines end the wait: `submit` raises when its deadline passes, wherever the query then is, and at once when it has
  passed already or cannot be met. What the queue before it will take is the cost model's estimate, corrected by the
  median of how long the last batches took: one that stalled (a cold model, a busy core) refuses nobody.
* Cancelled and expired members leave their lane and cost the engine nothing.

All state belongs to the event loop; only `run_batch` runs elsewhere, in threads of its own.
"""

import asyncio
import heapq
import statistics
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

import msgspec

from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.schemas.errors import DeadlineExceeded, EngineFailed, Overloaded

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_TIMED_BATCHES: Final = 5
"""The last batches, by which it is told how much slower than the cost model the engine is; nothing is refused before
that many were timed."""


def merged_lanes(waiting: Mapping[int, int], urgent: int, batch_size: int, cost: BatchCost) -> list[int]:
    """The lengths whose lanes should share a batch with the lane `urgent`, which comes first.

    `waiting` has the number of queries of each length. What does not fit into the batch stays in its lane.
    """
    chosen, members = [urgent], min(waiting[urgent], batch_size)
    shortest = longest = urgent
    for length in sorted(waiting, key=lambda length: abs(length - urgent))[1:]:
        joining = min(batch_size - members, waiting[length])
        if not joining:
            break
        low, high, left = min(shortest, length), max(longest, length), waiting[length] - joining
        together = cost.milliseconds(members + joining, low, high)
        rest = cost.milliseconds(left, length, length) if left else 0.0
        apart = cost.milliseconds(members, shortest, longest) + cost.milliseconds(waiting[length], length, length)
        if together + rest < apart:
            chosen.append(length)
            members, shortest, longest = members + joining, low, high
    return chosen


class Batched(msgspec.Struct, Generic[ResultT], frozen=True):
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
    """Feeds `run_batch` with batches of items. An async context manager, used on one event loop."""

    def __init__(
        self,
        run_batch: Callable[[Sequence[ItemT]], Sequence[ResultT]],
        *,
        length: Callable[[ItemT], int],
        cost: BatchCost,
        batch_size: int,
        capacity: int,
        replicas: int = 1,
    ) -> None:
        """`run_batch` blocks, in up to `replicas` threads at once, and answers in order; `length` is in tokens."""
        self._run_batch = run_batch
        self._length = length
        self._cost = cost
        self._timed: deque[float] = deque(maxlen=_TIMED_BATCHES)
        self._slowness = 1.0
        self._batch_size = batch_size
        self._lanes: dict[int, list[_Entry[ItemT, ResultT]]] = {}
        self._room = asyncio.BoundedSemaphore(capacity)
        self._arrived = asyncio.Event()
        self._sequence = 0
        self._waiting = 0
        self._free_at = [0.0] * replicas
        self._threads = ThreadPoolExecutor(replicas, thread_name_prefix="engine")
        self._owners: list[asyncio.Task[None]] = []

    @property
    def depth(self) -> int:
        """Queries that wait for the engine."""
        return self._waiting

    async def __aenter__(self) -> Self:
        self._owners = [
            asyncio.create_task(self._feed_engine(replica), name="microbatcher")
            for replica in range(len(self._free_at))
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for owner in self._owners:
            owner.cancel()
        await asyncio.gather(*self._owners, return_exceptions=True)
        for lane in self._lanes.values():
            for entry in lane:
                entry.answer.cancel()
        self._lanes.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def submit(self, item: ItemT, *, deadline: float) -> Batched[ResultT]:
        """The engine's result for `item`.

        `deadline` is a time of the event loop's clock. Cancelling the caller frees the item's place.

        Raises:
            Overloaded: it cannot be met, with what waits already.
            DeadlineExceeded: it passed before the result was there.
            EngineFailed: `run_batch` raised on the item's batch.
        """
        self._refuse_if_too_late(item, deadline)
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

    def _refuse_if_too_late(self, item: ItemT, deadline: float) -> None:
        now = asyncio.get_running_loop().time()
        if deadline <= now:
            raise DeadlineExceeded("the event's deadline had passed before the model could be asked")
        idle = not self._waiting and not min(self._free_at)  # then it is tried: one slow batch must not refuse for ever
        unknown = len(self._timed) < _TIMED_BATCHES
        if idle or unknown or now + self._expected_s(self._length(item), now) <= deadline:
            return
        raise Overloaded(f"the model cannot answer before the event's deadline: {self._waiting} queries wait for it")

    def _expected_s(self, length: int, now: float) -> float:
        """Seconds until an item of `length` that came last would be answered."""
        full = self._cost.milliseconds(self._batch_size, length, length) / self._batch_size
        own = self._cost.milliseconds(1, length, length)
        ahead = self._waiting * full / len(self._free_at)
        busy = max(0.0, min(self._free_at) - now)
        return busy + self._slowness * (ahead + own) / 1000

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
            urgent = min(self._lanes, key=lambda lane: self._lanes[lane][0])
            waiting = {length: len(lane) for length, lane in self._lanes.items()}
            for length in merged_lanes(waiting, urgent, self._batch_size, self._cost):
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

    async def _feed_engine(self, replica: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while batch := self._next_batch():
                lengths = [self._length(entry.item) for entry in batch]
                predicted_s = self._cost.milliseconds(len(batch), min(lengths), max(lengths)) / 1000
                started = loop.time()
                self._free_at[replica] = started + predicted_s * self._slowness
                await self._run(loop, batch)
                self._free_at[replica] = 0.0
                self._learn((loop.time() - started) / predicted_s)

    def _learn(self, slowness: float) -> None:
        """How many times longer than predicted a batch took."""
        self._timed.append(slowness)
        self._slowness = statistics.median(self._timed)

    async def _run(self, loop: asyncio.AbstractEventLoop, batch: list[_Entry[ItemT, ResultT]]) -> None:
        started_ns = time.time_ns()
        try:
            results = await loop.run_in_executor(self._threads, self._run_batch, [entry.item for entry in batch])
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
