"""Lanes: which queries make up the next batch."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.agents.deciding.lanes import Lanes, merged_lanes
from sluicegate.models.inference.batch_cost import BatchCost

APART = BatchCost(call=1, token=1, step=1000, member=1, answer=0)
"""A cost model by which lanes never share a batch."""
TOGETHER = BatchCost(call=1000, token=1, step=0, member=0, answer=0)
"""A cost model by which they always do."""


@dataclass
class Entry:
    length: int
    deadline: float
    abandoned: bool = False

    def is_abandoned(self) -> bool:
        return self.abandoned


def lanes_of(*entries: Entry, batch_size: int = 4, cost: BatchCost = APART) -> Lanes[Entry]:
    lanes: Lanes[Entry] = Lanes(batch_size, cost)
    for entry in entries:
        lanes.add(entry)
    return lanes


def test_the_most_urgent_entry_takes_its_lane_along() -> None:
    first, second, urgent = Entry(3, 30), Entry(5, 20), Entry(3, 10)
    lanes = lanes_of(first, second, urgent)
    assert lanes.next_batch(now=0) == [urgent, first]
    assert len(lanes) == 1
    assert lanes.next_batch(now=0) == [second]
    assert lanes.next_batch(now=0) == []


def test_equal_deadlines_are_served_in_order_of_arrival() -> None:
    entries = [Entry(3, 10) for _ in range(6)]
    lanes = lanes_of(*entries)
    taken = [*lanes.next_batch(now=0), *lanes.next_batch(now=0)]
    assert [id(entry) for entry in taken] == [id(entry) for entry in entries]


def test_abandoned_and_expired_entries_are_never_in_a_batch() -> None:
    alive = Entry(3, 50)
    lanes = lanes_of(Entry(3, 40, abandoned=True), alive, Entry(4, 5), Entry(3, 60, abandoned=True))
    assert lanes.next_batch(now=10) == [alive]
    assert len(lanes) == 0


def test_lanes_that_share_a_batch_still_respect_its_size() -> None:
    lanes = lanes_of(*(Entry(length, 10) for length in (3, 3, 4, 4, 5)), cost=TOGETHER)
    assert [entry.length for entry in lanes.next_batch(now=0)] == [3, 3, 4, 4]
    assert [entry.length for entry in lanes.next_batch(now=0)] == [5]


def test_draining_returns_everything_and_leaves_nothing() -> None:
    entries = [Entry(3, 30), Entry(5, 20)]
    lanes = lanes_of(*entries)
    assert lanes.drain() == entries
    assert len(lanes) == 0
    assert lanes.next_batch(now=0) == []


milliseconds = st.floats(0.01, 100)
costs = st.builds(
    BatchCost, call=milliseconds, token=milliseconds, step=milliseconds, member=milliseconds, answer=st.floats(0, 20)
)


@given(st.dictionaries(st.integers(1, 40), st.integers(1, 50), min_size=1), costs, st.integers(1, 64), st.data())
def test_lanes_share_a_batch_only_where_that_costs_less(
    waiting: dict[int, int], cost: BatchCost, batch_size: int, data: st.DataObject
) -> None:
    urgent = data.draw(st.sampled_from(sorted(waiting)))
    chosen = merged_lanes(waiting, urgent, batch_size, cost)
    assert chosen[0] == urgent
    assert len(set(chosen)) == len(chosen)
    members = 0
    for length in chosen:
        assert members < batch_size
        members += min(batch_size - members, waiting[length])
    if sum(waiting[length] for length in chosen) <= batch_size:
        together = cost.milliseconds(members, min(chosen), max(chosen))
        apart = sum(cost.milliseconds(waiting[length], length, length) for length in chosen)
        assert together <= apart * (1 + 1e-9)
