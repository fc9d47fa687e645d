"""A second compiled model as a reviewer: the real engine, whose probabilities the test knows."""

import asyncio
from pathlib import Path

import pytest

from sluicegate.agents.review.model import ModelReviewer
from sluicegate.agents.review.prompt import OUR_PROMPT, Prompt
from sluicegate.agents.review.reviewer import ReviewTask, Unanswered
from sluicegate.agents.settings import load_settings
from sluicegate.schemas.events import Position
from sluicegate.schemas.vocabulary import Category
from tests.support.reviews import NOON, make_review
from tests.support.word_judge import WordJudge

WORDS = {"bomb": {"allow": 0.0, "violence": 1.0}, "odd": {"allow": 0.5, "violence": 0.5}}


def task(query: str, **changes: str) -> ReviewTask:
    review = make_review(query=query, **{"lexical": query, "semantic": query, **changes})
    where = Position(topic="queries.review", partition=0, offset=0)
    return ReviewTask(review=review, source=where, key=None, headers=[], published=NOON, input_hash="0" * 64)


async def test_it_decides_by_its_own_thresholds_also_about_what_would_be_searched_for_instead(tmp_path: Path) -> None:
    settings = load_settings(review_model=tmp_path, thresholds='{"violence": {"allow": 1, "block": 1.1}}')
    async with ModelReviewer.running(WordJudge(tmp_path / "judge", WORDS), settings) as reviewer:
        deadline = asyncio.get_running_loop().time() + 20
        await reviewer.check(Prompt.read(OUR_PROMPT), deadline=deadline)
        allowed = await reviewer.review(task("red shoes"), (), deadline=deadline)
        denied = await reviewer.review(task("bomb"), (), deadline=deadline)
        rewritten = await reviewer.review(task("bmob", lexical="bomb", semantic="bomb"), (), deadline=deadline)
        assert (allowed.allow, denied.category, rewritten.category) == (True, Category.VIOLENCE, Category.VIOLENCE)
        assert allowed.reviewer.startswith("model:")
        assert allowed.input_tokens > 0


@pytest.mark.parametrize(
    ("query", "left_s", "reason"), [("odd", 20, "unsure"), ("fail", 20, "failed"), ("x", 0, "timed_out")]
)
async def test_what_it_cannot_decide_is_left_to_the_next_reviewer(
    tmp_path: Path, query: str, left_s: float, reason: str
) -> None:
    settings = load_settings(review_model=tmp_path)
    async with ModelReviewer.running(WordJudge(tmp_path / "judge", WORDS), settings) as reviewer:
        with pytest.raises(Unanswered) as raised:
            await reviewer.review(task(query), (), deadline=asyncio.get_running_loop().time() + left_s)
    assert raised.value.reason == reason
