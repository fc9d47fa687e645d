"""Who is asked, in which order, and for how long."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanKind

from sluicegate.agents.review.api import ApiReviewer
from sluicegate.agents.review.outcomes import fall_back
from sluicegate.agents.review.panel import Panel
from sluicegate.agents.review.prompt import OUR_PROMPT, Prompt
from sluicegate.agents.review.reviewer import (
    Asked,
    HandedOver,
    ReviewDecision,
    Reviewer,
    ReviewerKind,
    ReviewTask,
    Unanswered,
)
from sluicegate.agents.telemetry import EventSpan, Telemetry
from sluicegate.schemas.events import Position, Review
from sluicegate.schemas.events.review import Appeal
from sluicegate.schemas.vocabulary import Category
from tests.support.reviews import make_review

SPAN = EventSpan(
    "review", SpanKind.CONSUMER, "queries.review", Context(), INVALID_SPAN_CONTEXT, recording=False, kept=False
)
WHERE = Position(topic="queries.review", partition=0, offset=0)


class Scripted:
    """A reviewer that gives one answer, or raises it."""

    def __init__(self, kind: ReviewerKind, answer: ReviewDecision | HandedOver | Exception) -> None:
        self.kind = kind
        self.name = f"{kind}:test"
        self.deadlines: list[float] = []
        self.asked_before: list[Sequence[Asked]] = []
        self._answer = answer

    async def review(self, task: ReviewTask, asked: Sequence[Asked], *, deadline: float) -> ReviewDecision | HandedOver:
        self.deadlines.append(deadline - asyncio.get_running_loop().time())
        self.asked_before.append(asked)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


ALLOWED = ReviewDecision(allow=True, category=None, reviewer="model:test", kind="model")


def panel_of(*reviewers: Reviewer) -> Panel:
    return Panel(reviewers, Prompt.read(OUR_PROMPT), Telemetry.off().reviews)


def task_of(review: Review) -> ReviewTask:
    now = datetime.now(UTC)
    return ReviewTask(review=review, source=WHERE, key=None, headers=[], published=now, input_hash="0" * 64)


async def test_the_next_reviewer_is_asked_if_one_does_not_decide_and_each_has_its_share_of_the_time() -> None:
    late, broken = Scripted("api", Unanswered("timed_out", "late")), Scripted("api", ValueError("with the query"))
    decides, never = Scripted("model", ALLOWED), Scripted("people", HandedOver())
    verdict = await panel_of(late, broken, decides, never).ask(task_of(make_review()), SPAN, within_s=9)
    assert verdict.answer == ALLOWED
    assert [asked.reason for asked in verdict.unanswered] == ["timed_out", "failed"]
    assert decides.asked_before == [verdict.unanswered]
    assert never.deadlines == []
    assert [round(one.deadlines[0], 1) for one in (late, broken, decides)] == [3.0, 4.5, 9.0]


async def test_without_an_answer_the_round_says_who_was_asked() -> None:
    verdict = await panel_of(Scripted("api", Unanswered("busy", ""))).ask(task_of(make_review()), SPAN, within_s=1)
    assert verdict.answer is None
    assert verdict.unanswered == (Asked(reviewer="api:test", reason="busy"),)


async def test_an_appeal_is_for_people_alone() -> None:
    appeal = Appeal(blocked=WHERE, gate="model", appellant="anna", rationale="no")
    machine, people = Scripted("api", ALLOWED), Scripted("people", HandedOver())
    verdict = await panel_of(machine, people).ask(task_of(make_review(appeal=appeal)), SPAN, within_s=1)
    assert isinstance(verdict.answer, HandedOver)
    assert machine.deadlines == []


@pytest.mark.parametrize(
    ("probabilities", "allow"),
    [({"allow": 0.5, "hate": 0.5}, True), ({"allow": 0.49, "hate": 0.1}, False), ({}, False)],
)
def test_the_gates_leaning_is_its_probability_of_allow(probabilities: dict[str, float], allow: bool) -> None:
    ruling = fall_back(make_review(probabilities=probabilities, category=None), "gate")
    assert ruling.allow is allow
    assert ruling.category == (None if allow else Category.HATE if probabilities else "none")


async def test_a_reviewer_that_cannot_be_reached_at_the_start_leaves_the_event_to_the_policy() -> None:
    class Away(ApiReviewer):
        def __init__(self, reason: str) -> None:
            self.name, self._reason = "api:away", reason

        async def check(self, *, deadline: float) -> None:
            raise Unanswered(self._reason, "no")

    spent, liar = panel_of(Away("budget")), panel_of(Away("canary"))
    for panel in (spent, liar):
        assert panel.misunderstands, "nothing was asked yet"
        await panel.check(1)
    assert (spent.misunderstands, liar.misunderstands) == (False, True)
    verdict = await spent.ask(task_of(make_review()), SPAN, within_s=1)
    assert (verdict.answer, verdict.unanswered[0].reason) == (None, "budget")


async def test_people_are_not_among_those_that_have_answered_a_canary() -> None:
    class Understands(ApiReviewer):
        def __init__(self) -> None:
            self.name = "api:good"

        async def check(self, *, deadline: float) -> None:
            pass

    panel = panel_of(Understands(), Scripted("people", HandedOver()))
    assert panel.checked == []
    await panel.check(1)
    assert (panel.checked, panel.warnings()) == (["api:good"], [])
