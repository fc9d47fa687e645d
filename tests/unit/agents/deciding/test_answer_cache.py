"""The answer cache on a real event loop, with a scripted model."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sluicegate.agents.deciding.answer_cache import AnswerCache, AnsweredQuery
from sluicegate.agents.deciding.micro_batcher import Batched
from sluicegate.models.inference.judge import EncodedQuery, ModelResult
from sluicegate.models.inference.policy import PolicyResult, Verdict
from sluicegate.schemas.errors import DeadlineExceeded, EngineFailed
from sluicegate.schemas.reason_codes import PolicyCode


class Model:
    """Answers when the test releases it; counts the calls."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.failure: Exception | None = None

    async def ask(self) -> Batched[ModelResult]:
        self.asked += 1
        number = self.asked
        await self.may_answer.wait()
        if self.failure:
            raise self.failure
        policy_result = PolicyResult(Verdict.ALLOW, None, 1.0, PolicyCode.BELOW_EVERY_THRESHOLD)
        return Batched(ModelResult(policy_result, lexical=f"answer {number}", semantic="shoes"), 1, 0, 0, 0)


def asking(
    cache: AnswerCache, text: str, ask: Callable[[], Awaitable[Batched[ModelResult]]], within_s: float = 5
) -> asyncio.Task[AnsweredQuery]:
    loop = asyncio.get_running_loop()
    return loop.create_task(cache.answer(EncodedQuery(text, (text,)), ask, deadline=loop.time() + within_s))


async def test_equal_queries_in_flight_are_judged_once_and_later_ones_not_at_all() -> None:
    cache, model = AnswerCache(10, 60), Model()
    waiting = [asking(cache, "shoes", model.ask) for _ in range(3)]
    await asyncio.sleep(0)
    model.may_answer.set()
    first, *joined = await asyncio.gather(*waiting)
    later = await asking(cache, "shoes", model.ask)
    assert model.asked == 1
    assert [answer.source for answer in (first, *joined, later)] == ["model", "in_flight", "in_flight", "cache"]
    assert {answer.model_result.lexical for answer in (first, *joined, later)} == {"answer 1"}
    assert first.batched
    assert not any(answer.batched for answer in (*joined, later))


async def test_other_queries_are_judged_by_themselves() -> None:
    cache, model = AnswerCache(10, 60), Model()
    model.may_answer.set()
    answers = await asyncio.gather(*(asking(cache, text, model.ask) for text in ("shoes", "Shoes", "shoe")))
    assert [answer.source for answer in answers] == ["model"] * 3
    assert model.asked == 3


@pytest.mark.parametrize(("size", "ttl_s", "pause_s"), [(0, 60, 0), (10, 0.01, 0.03)], ids=["off", "expired"])
async def test_what_is_not_kept_is_judged_again(size: int, ttl_s: float, pause_s: float) -> None:
    cache, model = AnswerCache(size, ttl_s), Model()
    model.may_answer.set()
    for _ in range(2):
        assert (await asking(cache, "shoes", model.ask)).source == "model"
        await asyncio.sleep(pause_s)
    assert model.asked == 2


async def test_the_cache_is_bounded() -> None:
    cache, model = AnswerCache(2, 60), Model()
    model.may_answer.set()
    for text in ("a", "b", "c", "a"):
        await asking(cache, text, model.ask)
    assert model.asked == 4


async def test_a_failure_reaches_all_who_joined_and_is_not_kept() -> None:
    cache, model = AnswerCache(10, 60), Model()
    model.failure = EngineFailed("broken")
    waiting = [asking(cache, "shoes", model.ask) for _ in range(3)]
    await asyncio.sleep(0)
    model.may_answer.set()
    assert all(isinstance(error, EngineFailed) for error in await asyncio.gather(*waiting, return_exceptions=True))
    assert model.asked == 1
    model.failure = None
    assert (await asking(cache, "shoes", model.ask)).source == "model"


@pytest.mark.parametrize("gives_up", ["at its deadline", "cancelled"])
async def test_when_the_first_gives_up_another_takes_its_place(gives_up: str) -> None:
    cache, model = AnswerCache(10, 60), Model()
    if gives_up == "cancelled":
        first = asking(cache, "shoes", model.ask)
    else:

        async def too_late() -> Batched[ModelResult]:
            await asyncio.sleep(0.01)
            raise DeadlineExceeded("too late")

        first = asking(cache, "shoes", too_late)
    await asyncio.sleep(0)
    others = [asking(cache, "shoes", model.ask) for _ in range(2)]
    await asyncio.sleep(0)
    if gives_up == "cancelled":
        first.cancel()
    await asyncio.wait([first])
    model.may_answer.set()
    assert [answer.source for answer in await asyncio.gather(*others)] == ["model", "in_flight"]


async def test_a_query_that_joins_another_keeps_its_own_deadline() -> None:
    cache, model = AnswerCache(10, 60), Model()
    first = asking(cache, "shoes", model.ask)
    await asyncio.sleep(0)
    with pytest.raises(DeadlineExceeded):
        await asking(cache, "shoes", model.ask, within_s=0.01)
    model.may_answer.set()
    assert (await first).source == "model"
