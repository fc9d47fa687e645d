"""Acks follow each partition's order, whatever finishes first, whatever is revoked, and no slot is ever lost."""

import asyncio
from dataclasses import dataclass, field
from itertools import count, permutations, takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.agents.kafka.offsets import EventT, InFlightEvent, OffsetTracker, Partition

P0: Partition = ("queries.raw", 0)
P1: Partition = ("queries.raw", 1)

Tracker = OffsetTracker[str]


async def settle() -> None:
    """Let every task run until it waits for something."""
    for _ in range(5):
        await asyncio.sleep(0)


numbers = count()


async def register(tracker: OffsetTracker[EventT], event: EventT, partition: Partition) -> InFlightEvent[EventT]:
    """Register `event` at an offset beyond all before."""
    return await tracker.register(event, partition, next(numbers))


def registering(tracker: Tracker, event: str, partition: Partition) -> asyncio.Task[InFlightEvent[str]]:
    return asyncio.create_task(register(tracker, event, partition), name=event)


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_every_order_of_completion_acks_the_contiguous_prefix(order: tuple[int, ...]) -> None:
    acked: list[int] = []
    tracker = OffsetTracker(acked.append, window=4)
    registered = [await register(tracker, offset, P0) for offset in range(4)]
    for done, offset in enumerate(order, 1):
        tracker.complete(registered[offset])
        finished = set(order[:done])
        assert acked == list(takewhile(finished.__contains__, range(4)))
    assert tracker.in_flight == 0


async def test_partitions_do_not_wait_for_each_other() -> None:
    acked: list[str] = []
    tracker = OffsetTracker(acked.append, window=4)
    await register(tracker, "stuck", P0)
    tracker.complete(await register(tracker, "free", P1))
    assert acked == ["free"]


async def test_a_slot_is_held_until_the_ack_so_a_stuck_head_stops_the_stream() -> None:
    tracker: Tracker = OffsetTracker(lambda _: None, window=2)
    head = await register(tracker, "head", P0)
    tracker.complete(await register(tracker, "behind", P0))
    waiting = registering(tracker, "next", P0)
    await settle()
    assert not waiting.done()
    tracker.complete(head)
    await settle()
    assert waiting.done()


async def test_events_that_are_done_behind_a_head_that_waits_take_no_slot_up_to_a_bound() -> None:
    acked: list[str] = []
    tracker = OffsetTracker(acked.append, window=2, behind=3)
    head = await register(tracker, "head", P0)
    for number in range(4):  # one more slot, and three places
        tracker.complete(await asyncio.wait_for(register(tracker, f"behind {number}", P0), 1))
    waiting = registering(tracker, "next", P1)
    await settle()
    assert not waiting.done()
    waiting.cancel()
    await settle()
    tracker.complete(head)
    assert len(acked) == tracker.in_flight + 5
    working = [await asyncio.wait_for(register(tracker, f"working {number}", P0), 1) for number in range(2)]
    third = registering(tracker, "third", P0)
    await settle()
    assert not third.done()  # the window bounds what is not done
    third.cancel()
    await settle()
    tracker.revoke([P0])
    tracker.complete(working[0])
    again = [await asyncio.wait_for(register(tracker, f"again {number}", P0), 1) for number in range(2)]
    fourth = registering(tracker, "fourth", P0)
    await settle()
    assert not fourth.done()  # what was revoked gave its slot back once
    tracker.complete(again[0])
    await asyncio.wait_for(fourth, 1)


async def test_nothing_is_acked_after_a_revoke_even_if_the_partition_is_assigned_again() -> None:
    acked: list[str] = []
    tracker = OffsetTracker(acked.append, window=4)
    old = [await register(tracker, event, P0) for event in ("old 1", "old 2")]
    tracker.revoke([P0])
    new = await asyncio.wait_for(register(tracker, "old 1 again", P0), 1)
    for registered in old:
        tracker.complete(registered)
    assert acked == []
    tracker.complete(new)
    assert acked == ["old 1 again"]


async def test_an_event_that_waits_for_its_slot_outlives_the_revoke_of_another_partition() -> None:
    acked: list[str] = []
    tracker = OffsetTracker(acked.append, window=1)
    await register(tracker, "theirs", P0)
    waiting = registering(tracker, "ours", P1)
    await settle()
    tracker.revoke([P0])
    registered = await asyncio.wait_for(waiting, 1)
    assert tracker.in_flight == 1
    tracker.complete(registered)
    assert acked == ["ours"]


async def test_an_event_revoked_while_it_waits_for_its_slot_is_never_acked_and_keeps_no_slot() -> None:
    acked: list[str] = []
    tracker = OffsetTracker(acked.append, window=1)
    first = await register(tracker, "first", P0)
    waiting = registering(tracker, "revoked", P1)
    await settle()
    tracker.revoke([P1])
    tracker.complete(first)
    tracker.complete(await asyncio.wait_for(waiting, 1))
    assert acked == ["first"]
    await asyncio.wait_for(register(tracker, "next", P1), 1)


async def test_a_partition_that_goes_back_redelivers_everything_and_acks_it_in_order() -> None:
    acked: list[str] = []
    tracker = OffsetTracker(acked.append, window=3)
    void = [await tracker.register(event, P0, offset) for event, offset in (("void 5", 5), ("void 6", 6))]
    other = await tracker.register("other", P1, 0)
    again = [await tracker.register(event, P0, offset) for event, offset in (("4", 4), ("5", 5))]
    for registered in (*void, other, again[1]):
        tracker.complete(registered)
    assert acked == ["other"]
    tracker.complete(again[0])
    assert acked == ["other", "4", "5"]
    assert tracker.in_flight == 0


async def test_a_cancelled_register_keeps_no_slot() -> None:
    tracker: Tracker = OffsetTracker(lambda _: None, window=1)
    first = await register(tracker, "first", P0)
    waiting = registering(tracker, "cancelled", P0)
    await settle()
    waiting.cancel()
    tracker.complete(first)
    await settle()
    assert tracker.in_flight == 0
    await asyncio.wait_for(register(tracker, "next", P0), 1)


async def test_after_abandon_nothing_is_acked_not_even_what_comes_later() -> None:
    acked: list[str] = []
    tracker = OffsetTracker(acked.append, window=2)
    before = await register(tracker, "before", P0)
    tracker.abandon()
    tracker.complete(before)
    tracker.complete(await asyncio.wait_for(register(tracker, "after", P0), 1))
    assert acked == []
    assert tracker.in_flight == 0


@dataclass(eq=False)
class Assignment:
    """A partition from its assignment until it is revoked, as the test saw it."""

    registered: list[int] = field(default_factory=list)
    acked: list[int] = field(default_factory=list)


class World:
    """A tracker and everything that was done to it; events are numbers, in the order in which they were delivered."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.tracker: OffsetTracker[int] = OffsetTracker(self._acknowledged, window)
        self.assignments: dict[Partition, Assignment] = {}
        self.unfinished: list[InFlightEvent[int]] = []
        self.done: set[int] = set()
        self.waiting: asyncio.Task[InFlightEvent[int]] | None = None
        self._waiting_for: Assignment | None = None
        self._numbers = count()

    def assignment(self, partition: Partition) -> Assignment:
        return self.assignments.setdefault(partition, Assignment())

    def _acknowledged(self, event: int) -> None:
        (owner,) = [one for one in self.assignments.values() if event in one.registered]
        owner.acked.append(event)

    async def deliver(self, partition: Partition) -> None:
        """Register an event, as the one task does that registers: never while the last one still waits for a slot."""
        if self.waiting is None:
            self._waiting_for = self.assignment(partition)
            self.waiting = asyncio.create_task(register(self.tracker, next(self._numbers), partition), name="register")
        await self.settle()

    async def complete(self, choice: int) -> None:
        if self.unfinished:
            registered = self.unfinished.pop(choice % len(self.unfinished))
            self.done.add(registered.event)
            self.tracker.complete(registered)
        await self.settle()

    async def revoke(self, *partitions: Partition) -> None:
        self.tracker.revoke(partitions)
        for partition in partitions:
            self.assignments.pop(partition, None)  # an ack for one of its events would now find no owner
        await self.settle()

    async def settle(self) -> None:
        await settle()
        if self.waiting and self.waiting.done():
            registered, self.waiting = self.waiting.result(), None
            self.unfinished.append(registered)
            if self._waiting_for in self.assignments.values():
                assert self._waiting_for
                self._waiting_for.registered.append(registered.event)

    def check(self) -> None:
        for one in self.assignments.values():
            assert one.acked == list(takewhile(self.done.__contains__, one.registered))
        unacked = sum(len(one.registered) - len(one.acked) for one in self.assignments.values())
        assert self.tracker.in_flight == unacked <= self.window
        assert self.waiting is None or unacked == self.window, "an event waits although a slot is free"


steps = st.lists(
    st.one_of(
        st.tuples(st.just("deliver"), st.sampled_from([P0, P1])),
        st.tuples(st.just("deliver"), st.sampled_from([P0, P1])),
        st.tuples(st.just("complete"), st.integers(0, 9)),
        st.tuples(st.just("revoke"), st.sampled_from([(P0,), (P1,), (P0, P1)])),
    ),
    max_size=40,
)


@settings(max_examples=150)
@given(steps, st.integers(1, 4))
def test_acks_stay_a_contiguous_prefix_and_slots_never_leak(plan: list[tuple[str, object]], window: int) -> None:
    async def play() -> None:
        world = World(window)
        for step in plan:
            match step:
                case "deliver", (str(topic), int(number)):
                    await world.deliver((topic, number))
                case "complete", int(choice):
                    await world.complete(choice)
                case "revoke", tuple(partitions):
                    await world.revoke(*partitions)
            world.check()
        while world.unfinished:
            await world.complete(0)
            world.check()
        assert world.tracker.in_flight == 0
        fresh = [asyncio.create_task(register(world.tracker, -n, P0), name="fresh") for n in range(window + 1)]
        await settle()
        assert [task.done() for task in fresh] == [True] * window + [False]
        fresh[-1].cancel()

    asyncio.run(play())


async def test_a_released_event_is_not_acked_nor_is_any_behind_it_until_its_partition_goes_back() -> None:
    acked: list[str] = []
    forgotten: list[str] = []
    tracker: Tracker = OffsetTracker(acked.append, window=4, forget=forgotten.append)
    before, held, behind, later = [await tracker.register(str(n), P0, n) for n in range(4)]
    tracker.complete(behind)
    tracker.release(held)
    assert forgotten == ["2", "1"], "the one behind it had ended: nobody waits for it any more"
    tracker.complete(later)
    tracker.complete(before)
    tracker.complete(await tracker.register("4", P0, 4))
    assert (acked, forgotten) == (["0"], ["2", "1", "3", "4"])
    assert tracker.in_flight == 0

    for offset in range(1, 4):  # it goes back to what was acked
        tracker.complete(await tracker.register(f"{offset} again", P0, offset))
    assert acked == ["0", "1 again", "2 again", "3 again"]
