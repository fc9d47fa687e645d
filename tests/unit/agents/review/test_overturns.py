"""Whose decision people check."""

from typing import Literal

import pytest

from sluicegate.agents.review.overturns import FirstDecision, first_decision
from sluicegate.schemas.events import Appeal, Position
from tests.support.reviews import make_review


@pytest.mark.parametrize(("allow", "leans"), [(0.5, True), (0.49, False)])
def test_the_first_decision_about_a_review_is_the_leaning_of_the_gate(allow: float, leans: bool) -> None:
    review = make_review(probabilities={"allow": allow, "harassment": 0.4})
    assert first_decision(review) == FirstDecision(leans, "gate", "harassment")


@pytest.mark.parametrize(("gate", "by"), [("model", "gate"), ("reviewer", "reviewer")])
def test_the_first_decision_about_an_appeal_is_the_block(gate: Literal["model", "reviewer"], by: str) -> None:
    blocked = Position(topic="queries.blocked", partition=0, offset=1)
    appeal = Appeal(blocked=blocked, gate=gate, appellant="shop", rationale="-")
    decided = first_decision(make_review(appeal=appeal, probabilities={"allow": 0.9}))
    assert decided == FirstDecision(False, by, "harassment")  # type: ignore[arg-type]  # a word of the parameters


def test_where_the_gate_gave_no_answer_there_is_no_first_decision() -> None:
    assert first_decision(make_review(probabilities={}, degraded=True, category=None)) is None
