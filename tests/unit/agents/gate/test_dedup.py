"""The window on a real event loop, with a scripted processing of events."""

import asyncio

import pytest

from sluicegate.agents.gate import dedup
from sluicegate.agents.gate.dedup import DedupWindow
from sluicegate.schemas.errors import PublishFailed


class Processing:
    """Decides an event when the test releases it; counts the calls."""

    def __init__(self, *, decides: bool = True) -> None:
        self.asked = 0
        self.began = asyncio.Event()
        self.may_end = asyncio.Event()
        self.decides = decides
        self.failure: Exception | None = None

    async def __call__(self) -> bool:
        self.asked += 1
        self.began.set()
        await self.may_end.wait()
        if self.failure:
            raise self.failure
        return self.decides


def ended(*, decides: bool = True) -> Processing:
    processing = Processing(decides=decides)
    processing.may_end.set()
    return processing


async def test_an_event_that_was_decided_is_not_processed_again() -> None:
    window, processing = DedupWindow(10), ended()
    assert [await window.once("id", b"query", processing) for _ in range(3)] == [True, False, False]
    assert processing.asked == 1


async def test_two_queries_with_the_same_id_are_both_processed() -> None:
    window, processing = DedupWindow(10), ended()
    events = [("id", b"shoes"), ("id", b"boots"), ("other", b"shoes"), ("id", b"shoes")]
    assert [await window.once(*event, processing) for event in events] == [True, True, True, False]


async def test_the_window_forgets_the_oldest() -> None:
    window, processing = DedupWindow(2), ended()
    assert all([await window.once(event_id, b"", processing) for event_id in ("a", "b", "c", "a")])


async def test_duplicates_in_flight_wait_for_the_first() -> None:
    window, processing = DedupWindow(10), Processing()
    twins = [asyncio.create_task(window.once("id", b"query", processing)) for _ in range(3)]
    await asyncio.sleep(0)
    processing.may_end.set()
    assert await asyncio.gather(*twins) == [True, False, False]
    assert processing.asked == 1


async def test_when_the_first_ends_as_a_dead_letter_its_duplicates_are_processed() -> None:
    window, dead, processing = DedupWindow(10), Processing(decides=False), ended()
    first = asyncio.create_task(window.once("id", b"query", dead))
    await asyncio.sleep(0)
    twin = asyncio.create_task(window.once("id", b"query", processing))
    await asyncio.sleep(0)
    dead.may_end.set()
    assert (await first, await twin) == (True, True)
    assert (dead.asked, processing.asked) == (1, 1)


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
async def test_when_the_first_has_no_outcome_its_duplicate_is_processed(how: str) -> None:
    window, lost, processing = DedupWindow(10), Processing(), ended()
    lost.failure = PublishFailed("the broker is gone")
    first = asyncio.create_task(window.once("id", b"query", lost))
    await asyncio.sleep(0)
    twin = asyncio.create_task(window.once("id", b"query", processing))
    await asyncio.sleep(0)
    if how == "fails":
        lost.may_end.set()
    else:
        first.cancel()
    await asyncio.wait([first])
    assert first.cancelled() or isinstance(first.exception(), PublishFailed)
    assert await twin
    assert not await window.once("id", b"query", processing)


async def test_a_duplicate_that_waited_too_long_is_processed_and_others_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dedup, "DEDUP_WAIT_S", 0.01)
    window, stuck, processing = DedupWindow(10), Processing(), Processing()
    first = asyncio.create_task(window.once("id", b"query", stuck))
    await asyncio.sleep(0)
    twin = asyncio.create_task(window.once("id", b"query", processing))
    await processing.began.wait()
    monkeypatch.setattr(dedup, "DEDUP_WAIT_S", 5)
    third = asyncio.create_task(window.once("id", b"query", processing))
    await asyncio.sleep(0)
    processing.may_end.set()
    stuck.may_end.set()
    assert [*await asyncio.gather(first, twin, third)] == [True, True, False]
    assert processing.asked == 1
