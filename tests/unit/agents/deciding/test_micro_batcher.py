"""The micro-batcher, on a real event loop and with a real thread; only the engine is a double.

Items are words; their length is their token count.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.agents import background
from sluicegate.agents.deciding.micro_batcher import Batched, MicroBatcher
from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.schemas.errors import DeadlineExceeded, EngineFailed, Overloaded
from tests.support.held_engine import APART, LATER, SOON, HeldEngine, gathered, held, results, submitted

pytestmark = pytest.mark.xdist_group("timing")


async def test_the_first_item_runs_alone_at_once_and_the_rest_gather_behind_it() -> None:
    async with held() as (batcher, engine):
        waiting = [submitted(batcher, word) for word in ("aa", "bb", "cc")]
        await gathered(batcher, 3)
        engine.release()
        assert await engine.started.get() == ["aa", "bb", "cc"]
        assert batcher.depth == 0
        engine.release()
        answers = await asyncio.gather(*waiting)
    assert [answer.result for answer in answers] == ["AA", "BB", "CC"]
    assert {answer.batch_size for answer in answers} == {3}
    assert all(answer.queued_ns <= answer.started_ns <= answer.ended_ns for answer in answers)


async def test_a_batch_holds_items_of_one_length_and_no_more_than_its_size() -> None:
    async with held(batch_size=2) as (batcher, engine):
        waiting = [submitted(batcher, word) for word in ("a1", "bb1", "a2", "bb2", "a3")]
        await gathered(batcher, 5)
        engine.release(4)
        assert await results(waiting) == ["A1", "BB1", "A2", "BB2", "A3"]
        batches = [engine.started.get_nowait() for _ in range(3)]
    assert batches == [["a1", "a2"], ["bb1", "bb2"], ["a3"]]


async def test_the_most_urgent_item_goes_first_and_takes_its_lane_along() -> None:
    async with held(batch_size=2) as (batcher, engine):
        waiting = [
            submitted(batcher, word, seconds)
            for word, seconds in {"a30": 30, "bb20": 20, "a40": 40, "bb50": 50, "a10": 10}.items()
        ]
        await gathered(batcher, 5)
        engine.release(4)
        await results(waiting)
        batches = [engine.started.get_nowait() for _ in range(3)]
    assert batches == [["a10", "a30"], ["bb20", "bb50"], ["a40"]]


async def test_a_cancelled_item_makes_no_other_urgent() -> None:
    async with held() as (batcher, engine):
        cancelled = submitted(batcher, "a1", 10)
        waiting = [submitted(batcher, "a2", 50), submitted(batcher, "bbb", 20)]
        await gathered(batcher, 3)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        engine.release(3)
        await results(waiting)
        assert [engine.started.get_nowait() for _ in range(2)] == [["bbb"], ["a2"]]


async def test_cancelled_items_do_not_reach_the_engine() -> None:
    async with held() as (batcher, engine):
        waiting = [submitted(batcher, word) for word in ("aa", "bb", "cc")]
        await gathered(batcher, 3)
        waiting[1].cancel()
        await asyncio.wait([waiting[1]])
        engine.release()
        assert await engine.started.get() == ["aa", "cc"]
    assert waiting[1].cancelled()


async def test_a_full_queue_makes_submit_wait_for_space() -> None:
    async with held(capacity=3) as (batcher, engine):
        waiting = [submitted(batcher, word) for word in ("aa", "bb", "cc")]
        await gathered(batcher, 2)
        for _ in range(10):
            await asyncio.sleep(0)
        assert batcher.depth == 2
        engine.release()
        assert await engine.started.get() == ["aa", "bb"]
        await gathered(batcher, 1)
        engine.release(2)
        assert await results(waiting) == ["AA", "BB", "CC"]


async def test_a_cancelled_item_frees_its_place() -> None:
    async with held(capacity=2) as (batcher, _):
        queued = submitted(batcher, "aa")
        await gathered(batcher, 1)
        outside = submitted(batcher, "bb")
        queued.cancel()
        await asyncio.wait([queued])
        await gathered(batcher, 1)
        assert not outside.done()


async def test_a_deadline_ends_the_wait_for_the_queue_and_for_the_engine() -> None:
    async with held(capacity=3) as (batcher, engine):
        engine.release()
        running = submitted(batcher, "aa", SOON)
        assert await engine.started.get() == ["aa"]
        queued = [submitted(batcher, word, SOON) for word in ("bb", "cc")]
        await gathered(batcher, 2)
        outside = submitted(batcher, "dd", SOON)
        async with asyncio.timeout(5):
            for task in (running, *queued, outside):
                with pytest.raises(DeadlineExceeded):
                    await task
        engine.release()
        alive = submitted(batcher, "ee")
        assert await engine.started.get() == ["ee"]
        engine.release()
        assert (await alive).result == "EE"


async def test_a_deadline_that_has_passed_never_reaches_the_engine() -> None:
    async with held() as (batcher, engine):
        engine.release()
        with pytest.raises(DeadlineExceeded):
            await submitted(batcher, "late", -1)
        assert batcher.depth == 0
        assert engine.started.empty()


async def test_a_stuck_engine_does_not_let_expired_items_pile_up() -> None:
    async with held(capacity=2) as (batcher, _):
        for word in ("aa", "bb", "cc"):
            with pytest.raises(DeadlineExceeded):
                await submitted(batcher, word, SOON)
            assert batcher.depth == 0


async def test_a_stuck_engine_does_not_block_the_exit() -> None:
    engine = HeldEngine()
    async with asyncio.timeout(5):
        async with MicroBatcher(engine.run, length=len, cost=APART, batch_size=2, capacity=10) as batcher:
            running = submitted(batcher, "aa")
            await engine.started.get()
            queued = submitted(batcher, "bb")
            await gathered(batcher, 1)
        await asyncio.wait([running, queued])
    assert running.cancelled()
    assert queued.cancelled()
    engine.release()


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (lambda batch: 1 / 0, r"^ZeroDivisionError at test_micro_batcher.py:\d+$"),
        (lambda batch: batch[:-1], "ValueError"),
        (lambda batch: [*batch, "more"], "ValueError"),
    ],
    ids=["it raises", "an answer too few", "an answer too many"],
)
async def test_a_failing_batch_fails_its_own_members_only(
    outcome: Callable[[Sequence[str]], Sequence[str]], said: str
) -> None:
    def run(batch: Sequence[str]) -> Sequence[str]:
        return outcome(batch) if batch[0].startswith("bad") else batch

    async with MicroBatcher(run, length=len, cost=APART, batch_size=4, capacity=10) as batcher:
        failing = [submitted(batcher, "bad1"), submitted(batcher, "bad2")]
        good = submitted(batcher, "fine!")
        for task in failing:
            with pytest.raises(EngineFailed, match=said):
                await task
        assert (await good).result == "fine!"
        assert (await submitted(batcher, "good")).result == "good"


async def test_an_engines_own_error_is_passed_on_as_it_is() -> None:
    def run(_: Sequence[str]) -> list[str]:
        raise EngineFailed("the logits are not finite")

    async with MicroBatcher(run, length=len, cost=APART, batch_size=4, capacity=10) as batcher:
        with pytest.raises(EngineFailed, match=r"^the logits are not finite$"):
            await submitted(batcher, "word")


async def test_a_feeder_that_fails_fails_its_batch_is_reported_and_restarted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "FIRST_PAUSE_S", 0.2)
    async with MicroBatcher[str, str](list, length=len, cost=APART, batch_size=1, capacity=10) as batcher:
        assert (await submitted(batcher, "before")).result == "before"
        run = batcher._run

        async def fail_once(*_: object) -> None:
            monkeypatch.setattr(batcher, "_run", run)
            raise RuntimeError("a fault of the feeder, with a query in its message")

        monkeypatch.setattr(batcher, "_run", fail_once)
        in_hand, behind = submitted(batcher, "in hand"), submitted(batcher, "behind")
        with pytest.raises(EngineFailed, match="feeds the engine"):
            await in_hand
        assert len(batcher.warnings()) == 1
        assert (await behind).result == "behind"
        assert batcher.warnings() == []
    assert "the feeder 0 of the engine has failed: RuntimeError" in caplog.text
    assert "with a query" not in caplog.text


Arrival = tuple[int, int, str]
"""Token count, turns of the event loop to wait before arriving, fate."""

arrivals = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 4), st.sampled_from(["stays", "stays", "cancelled", "expired"])),
    max_size=25,
)
milliseconds = st.floats(0.01, 100)
costs = st.builds(
    BatchCost, call=milliseconds, token=milliseconds, step=milliseconds, member=milliseconds, answer=st.floats(0, 20)
)


async def test_neighbours_share_a_batch_where_a_call_costs_more_than_the_difference() -> None:
    engine = HeldEngine()
    cost = BatchCost(call=10, token=0.1, step=1, member=0.1, answer=5)
    async with MicroBatcher(engine.run, length=len, cost=cost, batch_size=4, capacity=100) as batcher:
        first = submitted(batcher, "first")
        await engine.started.get()
        words = ("aaa", "bbbb", "cc", "d" * 90)
        waiting = [submitted(batcher, word) for word in words]
        await gathered(batcher, 4)
        engine.release(3)
        assert await results([first, *waiting]) == ["FIRST", *(word.upper() for word in words)]
        assert [engine.started.get_nowait() for _ in range(2)] == [["aaa", "bbbb", "cc"], ["d" * 90]]


async def test_every_replica_is_at_work_while_there_is_work() -> None:
    engine = HeldEngine()
    async with MicroBatcher(engine.run, length=len, cost=APART, batch_size=1, capacity=9, replicas=2) as batcher:
        waiting = [submitted(batcher, word) for word in ("a", "b", "c")]
        assert [await engine.started.get() for _ in range(2)] == [["a"], ["b"]]
        assert batcher.depth == 1
        engine.release(3)
        assert await results(waiting) == ["A", "B", "C"]


async def test_an_idle_engine_is_tried_however_slow_it_was() -> None:
    delays = iter((0.3, 0.0, 0.0))

    def run(batch: Sequence[str]) -> list[str]:
        time.sleep(next(delays))
        return list(batch)

    async with MicroBatcher(run, length=len, cost=APART, batch_size=1, capacity=100) as batcher:
        await submitted(batcher, "slow")
        for _ in range(2):
            assert (await submitted(batcher, "fast", within_s=0.1)).result == "fast"


async def test_a_batch_that_stalled_refuses_nobody() -> None:
    delays = iter([0.0, 0.0, 0.0, 0.0, 0.5])

    def run(batch: Sequence[str]) -> list[str]:
        time.sleep(next(delays, 0.0))
        return list(batch)

    async with MicroBatcher(run, length=len, cost=APART, batch_size=1, capacity=100) as batcher:
        for _ in range(5):
            await submitted(batcher, "timed")
        waiting = [submitted(batcher, "a", within_s=1) for _ in range(90)]
        assert len(await results(waiting)) == 90


async def test_a_deadline_that_the_queue_makes_impossible_is_refused_at_once() -> None:
    def run(batch: Sequence[str]) -> list[str]:
        time.sleep(0.05)
        return list(batch)

    async with MicroBatcher(run, length=len, cost=APART, batch_size=1, capacity=100) as batcher:
        for _ in range(5):
            await submitted(batcher, "how long is a batch?")
        waiting = [submitted(batcher, "a") for _ in range(20)]
        await gathered(batcher, 19)
        began = asyncio.get_running_loop().time()
        with pytest.raises(Overloaded, match="19 queries wait"):
            await batcher.submit("late", deadline=began + 0.04)
        assert asyncio.get_running_loop().time() - began < 0.04
        assert (await batcher.submit("in time", deadline=began + LATER)).result == "in time"
        assert len(await results(waiting)) == 20


@settings(max_examples=60)
@given(arrivals, costs, st.integers(1, 4), st.integers(1, 6), st.integers(1, 3))
def test_nothing_is_lost_and_nothing_is_answered_twice(
    plan: list[Arrival], cost: BatchCost, batch_size: int, capacity: int, replicas: int
) -> None:
    batches: list[list[tuple[int, int]]] = []

    def run(batch: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        batches.append(list(batch))
        return list(batch)

    async def arrive(
        batcher: MicroBatcher[tuple[int, int], tuple[int, int]], number: int, length: int, turns: int, fate: str
    ) -> Batched[tuple[int, int]]:
        for _ in range(turns):
            await asyncio.sleep(0)
        now = asyncio.get_running_loop().time()
        return await batcher.submit((number, length), deadline=now + (-1 if fate == "expired" else LATER))

    async def play() -> list[Batched[tuple[int, int]] | BaseException]:
        async with (
            asyncio.timeout(20),
            MicroBatcher(
                run,
                length=lambda item: item[1],
                cost=cost,
                batch_size=batch_size,
                capacity=capacity,
                replicas=replicas,
            ) as batcher,
        ):
            tasks = [
                asyncio.create_task(arrive(batcher, number, *arrival), name=str(number))
                for number, arrival in enumerate(plan)
            ]
            for _ in range(3):
                await asyncio.sleep(0)
            for task, (_, _, fate) in zip(tasks, plan, strict=True):
                if fate == "cancelled":
                    task.cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert batcher.depth == 0
            return answers

    answers = asyncio.run(play())

    run_items = [item for batch in batches for item in batch]
    assert len(run_items) == len(set(run_items))
    assert all(len(batch) <= batch_size for batch in batches)
    for number, ((length, _, fate), answer) in enumerate(zip(plan, answers, strict=True)):
        if fate == "stays":
            assert isinstance(answer, Batched)
            assert answer.result == (number, length)
        elif fate == "expired":
            assert isinstance(answer, DeadlineExceeded)
            assert (number, length) not in run_items
        else:
            assert isinstance(answer, Batched | asyncio.CancelledError)
