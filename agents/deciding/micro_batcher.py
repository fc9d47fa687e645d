"""The micro-batcher: many waiting queries, one engine that is never idle while there is work.

    submit ──► admission ──► lanes, one per token count ──► feeders, ──► engine threads
               refuses what     7: ●●●           one per
               would be late    8: ●             replica
                               31: ●●●●●●●

* Work-conserving: an idle engine starts at once on what is there; while it runs, the next batch gathers. No time-outs.
* Batches: `agents.deciding.lanes` chooses the most urgent query and those that should share its batch.
* Bounded: when `capacity` queries wait, `submit` waits too. That is the back-pressure up to Kafka.
* Deadlines: `submit` raises when the deadline passes, wherever the query then is, and at once when it has passed
  already or cannot be met (`agents.deciding.admission`).
* Cancelled and expired queries leave their lane and cost the engine nothing.
* Supervised: a feeder that fails gives its batch an error, is logged and restarted; `warnings` says so meanwhile.

All state belongs to one event loop; only `run_batch` runs elsewhere, in threads of its own.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Generic, Self, TypeVar

import msgspec

from sluicegate.agents.background import BackgroundTasks
from sluicegate.agents.deciding.admission import Admission
from sluicegate.agents.deciding.lanes import Lanes
from sluicegate.agents.error_text import describe_error
from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.schemas.errors import DeadlineExceeded, EngineFailed, Overloaded

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Batched(msgspec.Struct, Generic[ResultT], frozen=True):
    """A result with its batch's size and times (`time.time_ns`)."""

    result: ResultT
    batch_size: int
    queued_ns: int
    started_ns: int
    ended_ns: int


@dataclass(slots=True)
class _Entry(Generic[ItemT, ResultT]):
    item: ItemT
    length: int
    deadline: float
    queued_ns: int
    answer: "asyncio.Future[Batched[ResultT]]"

    def is_abandoned(self) -> bool:
        return self.answer.done()


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
        self._lanes: Lanes[_Entry[ItemT, ResultT]] = Lanes(batch_size, cost)
        self._admission = Admission(cost, batch_size, replicas)
        self._replicas = replicas
        self._free_places = asyncio.BoundedSemaphore(capacity)
        self._arrived = asyncio.Event()
        self._threads = ThreadPoolExecutor(replicas, thread_name_prefix="engine")
        self._feeders = BackgroundTasks()
        self.answered_at = 0.0
        """When the engine last answered a batch, by the event loop's clock; 0 if never."""

    @property
    def depth(self) -> int:
        """Queries that wait for the engine."""
        return len(self._lanes)

    @property
    def busy_s(self) -> float:
        """For how long the engine's present call has run; 0 without one."""
        return self._admission.busy_s(asyncio.get_running_loop().time())

    def warnings(self) -> list[str]:
        """The feeders that have failed and wait for their restart, one sentence each."""
        return self._feeders.warnings()

    async def __aenter__(self) -> Self:
        for replica in range(self._replicas):
            self._feeders.start(f"feeder {replica} of the engine", partial(self._feed_engine, replica))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._feeders.stop()
        for entry in self._lanes.drain():
            entry.answer.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def submit(self, item: ItemT, *, deadline: float, wait: bool = True) -> Batched[ResultT]:
        """The engine's result for `item`.

        `deadline` is a time of the event loop's clock. Cancelling the caller frees the item's place. Unless `wait`, a
        full queue refuses the item at once.

        Raises:
            Overloaded: the deadline cannot be met, with what waits already; or the queue is full.
            DeadlineExceeded: it passed before the result was there.
            EngineFailed: `run_batch` raised on the item's batch.
        """
        loop = asyncio.get_running_loop()
        length = self._length(item)
        self._admission.check(length, deadline, loop.time(), len(self._lanes))
        if not wait and self._free_places.locked():
            raise Overloaded("the queue of the model is full (SLUICE_QUEUE_SIZE)")
        try:
            async with asyncio.timeout_at(deadline), self._free_places:
                entry = _Entry[ItemT, ResultT](item, length, deadline, time.time_ns(), loop.create_future())
                self._lanes.add(entry)
                self._arrived.set()
                try:
                    return await entry.answer
                except asyncio.CancelledError:
                    self._lanes.drop_expired(length, loop.time())
                    raise
        except TimeoutError:
            raise DeadlineExceeded("the model did not answer before the event's deadline") from None

    async def _feed_engine(self, replica: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = self._lanes.next_batch(loop.time())
            if not batch:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            lengths = [entry.length for entry in batch]
            self._admission.batch_started(replica, len(batch), min(lengths), max(lengths), loop.time())
            try:
                await self._run(loop, batch)
            finally:
                self._admission.batch_ended(replica, loop.time())
                for entry in batch:
                    if not entry.answer.done():
                        entry.answer.set_exception(EngineFailed("the task that feeds the engine failed"))

    async def _run(self, loop: asyncio.AbstractEventLoop, batch: list[_Entry[ItemT, ResultT]]) -> None:
        """Run `batch` and give every entry its answer, its batch's error or its cancellation."""
        started_ns = time.time_ns()
        try:
            results = await loop.run_in_executor(self._threads, self._run_batch, [entry.item for entry in batch])
            answered = list(zip(batch, results, strict=True))
        except asyncio.CancelledError:
            for entry in batch:
                entry.answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - any error of the engine is the answer to its batch
            failure = error if isinstance(error, EngineFailed) else EngineFailed(describe_error(error))
            for entry in batch:
                if not entry.answer.done():
                    entry.answer.set_exception(failure)
            return
        ended_ns = time.time_ns()
        self.answered_at = loop.time()
        for entry, result in answered:
            if not entry.answer.done():
                entry.answer.set_result(Batched(result, len(batch), entry.queued_ns, started_ns, ended_ns))
