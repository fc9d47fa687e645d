"""Every interleaving of a small world with the real `OffsetTracker`: no commit ever passes an unfinished event.

The world has two partitions with gaps in their offsets, as compaction and transactions leave them, a window of two
events, and one rebalance. What can happen: an event arrives, or waits for its slot; any event in flight finishes, even
one of an assignment that has ended; the offset behind the last acked event is committed; the rebalance revokes all
partitions and assigns some of them again, from the committed offset on; another worker goes on with the others; one of
our partitions goes back to its committed offset, once; an event is released, once, and its partition goes back later.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from typing import Final

import pytest

from sluicegate.agents.kafka.offsets import InFlightEvent, OffsetTracker

WINDOW: Final = 2
MOST_REBALANCES: Final = 1
KEPT: Final = ((), (0,), (1,), (0, 1))

Action = tuple[str, int]
Logs = tuple[tuple[int, ...], ...]
"""The offsets of each partition."""


@dataclass(frozen=True)
class Event:
    """An offset as it was delivered to one assignment."""

    partition: int
    offset: int
    generation: int


@dataclass
class World:
    """The tracker, what the broker remembers, and what is true."""

    logs: Logs
    may_go_back: bool
    may_release: bool = False
    committed: list[int] = field(init=False)
    acked: list[int | None] = field(init=False)
    following: list[int | None] = field(init=False)
    """The index in its log of what each partition delivers next; None if it belongs to another worker."""
    generation: int = 1
    unfinished: list[InFlightEvent[Event]] = field(default_factory=list)
    done: set[tuple[int, int]] = field(default_factory=set)
    must_go_back: set[int] = field(default_factory=set)
    """Partitions of which an event was released."""
    waiting: tuple[Event, asyncio.Task[InFlightEvent[Event]]] | None = None

    def __post_init__(self) -> None:
        self.committed = [log[0] for log in self.logs]
        self.acked = [None] * len(self.logs)
        self.following = [0] * len(self.logs)
        self.tracker: OffsetTracker[Event] = OffsetTracker(self._acknowledge, WINDOW)

    def _acknowledge(self, event: Event) -> None:
        if event.generation == self.generation:  # as the worker does
            self.acked[event.partition] = event.offset

    def possible(self) -> Iterator[Action]:
        for partition, log in enumerate(self.logs):
            following = self.following[partition]
            if following is None and self.committed[partition] <= log[-1]:
                yield "elsewhere", partition
            if following is not None and following < len(log) and not self.waiting:
                yield "arrive", partition
            if self.acked[partition] is not None:
                yield "commit", partition
            if following and not self.waiting and (self.may_go_back or partition in self.must_go_back):
                yield "back", partition
        for number in range(len(self.unfinished)) if self.may_release else ():
            yield "release", number
        for number in range(len(self.unfinished)):
            yield "finish", number
        if self.generation <= MOST_REBALANCES:
            for number in range(len(KEPT)):
                yield "rebalance", number

    async def act(self, action: Action) -> None:
        match action:
            case "arrive", partition:
                event = Event(partition, self.logs[partition][self.following[partition] or 0], self.generation)
                self.following[partition] = (self.following[partition] or 0) + 1
                self.waiting = (
                    event,
                    asyncio.create_task(self.tracker.register(event, ("raw", partition), event.offset)),
                )
            case "finish", number:
                registered = self.unfinished.pop(number)
                self.done.add((registered.event.partition, registered.event.offset))
                self.tracker.complete(registered)
            case "release", number:
                self.may_release = False
                registered = self.unfinished.pop(number)
                if self.following[registered.event.partition] and registered.event.generation == self.generation:
                    self.must_go_back.add(registered.event.partition)
                self.tracker.release(registered)
            case "commit", partition:
                self.committed[partition] = (self.acked[partition] or 0) + 1
                self.acked[partition] = None
            case "elsewhere", partition:
                offset = next(offset for offset in self.logs[partition] if offset >= self.committed[partition])
                self.done.add((partition, offset))
                self.committed[partition] = offset + 1
            case "back", partition:
                if partition in self.must_go_back:
                    self.must_go_back.discard(partition)
                else:
                    self.may_go_back = False
                self.following[partition] = self._place(partition)
            case "rebalance", number:
                self.tracker.revoke(("raw", partition) for partition in range(len(self.logs)))
                self.generation += 1
                self.must_go_back.clear()
                self.acked = [None] * len(self.logs)
                self.following = [
                    self._place(partition) if partition in KEPT[number] else None for partition in range(len(self.logs))
                ]
        for _ in range(3):
            await asyncio.sleep(0)
        if self.waiting and self.waiting[1].done():
            self.unfinished.append(self.waiting[1].result())
            self.waiting = None

    def _place(self, partition: int) -> int:
        """The index in its log of the committed offset."""
        return sum(offset < self.committed[partition] for offset in self.logs[partition])

    def check(self, path: tuple[Action, ...]) -> None:
        for partition, log in enumerate(self.logs):
            passed = {(partition, offset) for offset in log if offset < self.committed[partition]}
            assert passed <= self.done, f"committed past {passed - self.done} by {path}"
        assert self.tracker.in_flight <= WINDOW

    @property
    def state(self) -> object:
        """All that decides what can still happen: two paths to the same state are explored once."""
        waiting = self.waiting and (self.waiting[0].partition, self.waiting[0].generation == self.generation)
        positions = (tuple(self.committed), tuple(self.acked), tuple(self.following))
        queues = {partition[1]: tuple(queue) for partition, queue in self.tracker._queues.items() if queue}
        queued = frozenset((number, tuple((one.event, one.done) for one in queue)) for number, queue in queues.items())
        unfinished = sorted(
            (astuple(one.event), one in queues.get(one.event.partition, ()), one.released) for one in self.unfinished
        )
        still = self.may_go_back, self.may_release, frozenset(self.must_go_back)
        return positions, self.generation, still, queued, tuple(unfinished), frozenset(self.done), waiting


async def drain(world: World) -> None:
    """Whatever happened before, every event ends and no slot is lost."""
    while actions := [
        (kind, number)
        for kind, number in world.possible()
        if kind not in ("rebalance", "back", "release") or (kind == "back" and number in world.must_go_back)
    ]:
        await world.act(actions[-1])
    assert world.waiting is None
    assert world.tracker.in_flight == 0
    assert world.committed == [log[-1] + 1 for log in world.logs]


@pytest.mark.parametrize(
    ("logs", "may_go_back", "may_release"),
    [(((0, 3), (5, 6)), False, False), (((0, 3, 4),), True, False), (((0, 3, 4),), False, True)],
)
async def test_no_interleaving_commits_past_an_unfinished_event(
    logs: Logs, may_go_back: bool, may_release: bool
) -> None:
    frontier: list[tuple[Action, ...]] = [()]
    seen: set[object] = set()
    while frontier:
        path = frontier.pop()
        world = World(logs, may_go_back, may_release)
        for action in path:
            await world.act(action)
        world.check(path)
        if world.state not in seen:
            seen.add(world.state)
            frontier += [(*path, action) for action in world.possible()]
        await drain(world)
    assert len(seen) > 1000, "too few states to show anything"


async def test_the_check_would_notice_an_acker_that_acks_in_the_order_of_completion() -> None:
    world = World(((0, 3),), may_go_back=False)
    for action in (("arrive", 0), ("arrive", 0)):
        await world.act(action)
    world.acked[0] = world.unfinished.pop().event.offset  # the second, while the first is in flight
    await world.act(("commit", 0))
    with pytest.raises(AssertionError, match="committed past"):
        world.check(())
