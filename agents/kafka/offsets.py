"""The in-order acker: an offset is acknowledged only when it and every offset before it in its partition are done.

    partition 3:   41 done   42 done   43 in flight   44 done   45 done
                   └────── acked ────┘ └── the head: 44 and 45 wait for it ──┘

Faust's own out-of-order acking commits past unfinished events (faust-streaming #606). This tracker never does: it acks
the events of a partition in the order in which they were delivered, so the offset behind the last acked event can be
committed. When a partition goes back to an earlier offset, what it delivered before is forgotten, because it is
redelivered. An event holds a slot of the window until it is done, and a place until its ack: there are `behind` more
places than slots, for events that are done and wait for one before them. Without a bound on these, the events behind a
stuck head would pile up.

An event that is given up (`release`) will be redelivered, and so will all that follow it in its partition: none of them
is acked, also not those that are delivered before the partition goes back.

It lives on the event loop and is not thread-safe, except for `in_flight`.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

EventT = TypeVar("EventT")
Partition = tuple[str, int]


@dataclass(slots=True, eq=False)
class InFlightEvent(Generic[EventT]):
    """An event in flight, and its place in its partition's queue."""

    event: EventT
    partition: Partition
    since: float
    """When it was registered (`time.monotonic`)."""
    done: bool = False
    released: bool = False
    """It will be redelivered: its end acks nothing."""
    holds_slot: bool = True
    """It counts towards the window: it is not done, and was neither released nor revoked."""


class OffsetTracker(Generic[EventT]):
    """Acks events in the order in which each partition delivered them.

    At most `window` of them are not done, and at most `window + behind` not acked.
    """

    def __init__(
        self,
        acknowledge: Callable[[EventT], None],
        window: int,
        forget: Callable[[EventT], None] = lambda _: None,
        *,
        behind: int = 0,
    ) -> None:
        """`acknowledge` is called once per event, head first, and never for a partition that was revoked.

        `forget` is called for an event that ends without being acked because it, or one before it, was released.
        """
        self._acknowledge = acknowledge
        self._forget = forget
        self._broken: set[Partition] = set()
        """Partitions of which an event was released, until they go back or are revoked."""
        self._slots = asyncio.Semaphore(window)
        self._places = asyncio.Semaphore(window + behind)
        self._queues: dict[Partition, deque[InFlightEvent[EventT]]] = {}
        self._newest: dict[Partition, int] = {}
        self._epochs: Counter[Partition] = Counter()

    @property
    def in_flight(self) -> int:
        """Events registered and not yet acked. Metrics read it from their own thread, hence the copy."""
        return sum(map(len, list(self._queues.values())))

    @property
    def oldest_s(self) -> float:
        """Seconds that the oldest event in flight has waited for its ack, 0 when there is none."""
        heads = [queue[0].since for queue in self._queues.values() if queue]
        return time.monotonic() - min(heads) if heads else 0.0

    async def register(self, event: EventT, partition: Partition, offset: int) -> InFlightEvent[EventT]:
        """Take a slot of the window and a place, wait for them if none is free, and queue `event` in its partition.

        Call it in the order in which the events arrived, from one task.
        """
        if offset <= self._newest.get(partition, -1):
            self.revoke([partition])
        self._newest[partition] = offset
        epoch = self._epochs[partition]
        await self._places.acquire()
        try:
            await self._slots.acquire()
        except asyncio.CancelledError:
            self._places.release()
            raise
        registered = InFlightEvent(event, partition, time.monotonic(), released=partition in self._broken)
        if epoch == self._epochs[partition] and not registered.released:
            self._queues.setdefault(partition, deque()).append(registered)
        else:  # its partition was revoked while it waited for its slot, or goes back before it
            self._leave(registered)
        return registered

    def complete(self, registered: InFlightEvent[EventT]) -> None:
        """Mark an event as done, and ack its partition's events up to the first that is not done."""
        registered.done = True
        if registered.released:
            self._forget(registered.event)
            return
        queue = self._queues.get(registered.partition)
        self._free_slot(registered)
        while queue and queue[0].done:
            head = queue.popleft()
            self._acknowledge(head.event)
            self._leave(head)

    def release(self, registered: InFlightEvent[EventT]) -> None:
        """Give up an event that has no outcome: it and all behind it in its partition are redelivered, and not acked.

        Call it only when its partition will go back to what was acked, as it does at a rebalance, or at the next start.
        """
        queue = self._queues.get(registered.partition)
        if not queue or registered not in queue:  # it was revoked, or released with one before it
            registered.released = True
            self._forget(registered.event)
            return
        self._broken.add(registered.partition)
        behind = None
        while behind is not registered:
            behind = queue.pop()
            behind.released = True
            self._leave(behind)
            if behind.done or behind is registered:
                self._forget(behind.event)

    def revoke(self, partitions: Iterable[Partition]) -> None:
        """Forget the events of `partitions`, which belong to another worker now: completing them acks nothing."""
        for partition in partitions:
            self._epochs[partition] += 1
            self._newest.pop(partition, None)
            self._broken.discard(partition)
            for registered in self._queues.pop(partition, ()):
                self._leave(registered)

    def abandon(self) -> None:
        """Ack nothing any more, not even events that are registered later: the process is about to end."""
        self._acknowledge = lambda _: None
        self.revoke(list(self._queues))

    def _free_slot(self, registered: InFlightEvent[EventT]) -> None:
        if registered.holds_slot:
            registered.holds_slot = False
            self._slots.release()

    def _leave(self, registered: InFlightEvent[EventT]) -> None:
        self._free_slot(registered)
        self._places.release()
