"""Where queries wait for the engine: one lane per token count, each ordered by deadline. Plain and synchronous.

The engine prefills a batch up to its shortest member in one pass and feeds it the rest of the longer ones token by
token, so the queries of one lane are the natural batch. But every batch pays for its own decoding, so two lanes of
nearly equal length can cost less together: `merged_lanes` asks the cost model (`models.inference.batch_cost`). Nothing
is padded, so an answer does not depend on the other queries of its batch.
"""

import heapq
from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

from sluicegate.models.inference.batch_cost import BatchCost


class Waiting(Protocol):
    """What can wait in a lane."""

    @property
    def length(self) -> int:
        """In tokens."""

    @property
    def deadline(self) -> float:
        """The time after which the answer is of no use."""

    def is_abandoned(self) -> bool:
        """Whether its caller no longer waits for the answer."""


EntryT = TypeVar("EntryT", bound=Waiting)


class Lanes(Generic[EntryT]):
    """Entries that wait, earliest deadline first within a lane and among lanes. `len()` counts them.

    A query can be overtaken by others of its length, but its urgency only grows: once it is the most urgent of all, its
    lane is the next.
    """

    def __init__(self, batch_size: int, cost: BatchCost) -> None:
        self._batch_size = batch_size
        self._cost = cost
        self._heaps: dict[int, list[tuple[float, int, EntryT]]] = {}
        self._added = 0
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def add(self, entry: EntryT) -> None:
        """Let `entry` wait in the lane of its length."""
        self._added += 1
        heapq.heappush(self._heaps.setdefault(entry.length, []), (entry.deadline, self._added, entry))
        self._waiting += 1

    def next_batch(self, now: float) -> list[EntryT]:
        """Take the most urgent entry out, with those that should share its batch; empty when nothing waits."""
        for length in list(self._heaps):
            self.drop_expired(length, now)
        if not self._heaps:
            return []
        urgent = min(self._heaps, key=lambda length: self._heaps[length][0])
        waiting = {length: len(heap) for length, heap in self._heaps.items()}
        batch: list[EntryT] = []
        for length in merged_lanes(waiting, urgent, self._batch_size, self._cost):
            heap = self._heaps[length]
            while heap and len(batch) < self._batch_size:
                deadline, _, entry = heapq.heappop(heap)
                self._waiting -= 1
                if deadline > now and not entry.is_abandoned():
                    batch.append(entry)
            self.drop_expired(length, now)
        return batch

    def drop_expired(self, length: int, now: float) -> None:
        """Drop abandoned and expired entries from the head of a lane, and the lane when it is empty.

        To be called whenever an entry is abandoned: a stuck engine must not fill the memory.
        """
        heap = self._heaps.get(length)
        if heap is None:
            return
        while heap and (heap[0][0] <= now or heap[0][-1].is_abandoned()):
            heapq.heappop(heap)
            self._waiting -= 1
        if not heap:
            del self._heaps[length]

    def drain(self) -> list[EntryT]:
        """Take everything out."""
        entries = [entry for heap in self._heaps.values() for _, _, entry in heap]
        self._heaps.clear()
        self._waiting = 0
        return entries


def merged_lanes(waiting: Mapping[int, int], urgent: int, batch_size: int, cost: BatchCost) -> list[int]:
    """The lengths whose lanes should share a batch with the lane `urgent`, which comes first.

    `waiting` has the number of queries of each length. Neighbours join, nearest first, as long as one batch is cheaper
    than two. What does not fit into the batch stays in its lane.
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
