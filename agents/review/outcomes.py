"""Turns a reviewer's decision into the events to publish. Pure functions, but for the time of processing.

    allow ─► reviewed, recall, ranking          deny ─► reviewed, blocked          denied appeal ─► reviewed

What follows has the id, the context and the versions of the gate's event: the reviewer is named in `reviewed`.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from sluicegate.agents.deciding.ledger_record import Stamp
from sluicegate.agents.gate.outcomes import score_query
from sluicegate.agents.review.reviewer import ReviewDecision, ReviewTask
from sluicegate.schemas.events import Blocked, OutcomeName, OutputEvent, Ranking, Recall, Review, Reviewed
from sluicegate.schemas.reason_codes import ReviewCode
from sluicegate.schemas.vocabulary import Category

Fallback: TypeAlias = Literal["hold", "gate", "block"]

LEANING: Final = 0.5
"""From this probability of `allow` on, the gate leans towards allowing a query."""


@dataclass(frozen=True)
class Ruling:
    """A decision that stands: a reviewer's, or the policy's where `fallback` says so."""

    allow: bool
    category: str | None
    reviewer: str
    reason: ReviewCode
    decision: ReviewDecision | None = None
    fallback: Fallback | None = None


def ruling_of(decision: ReviewDecision) -> Ruling:
    """The ruling of a reviewer."""
    reason = ReviewCode.ALLOWED if decision.allow else ReviewCode.DENIED
    return Ruling(decision.allow, decision.category, decision.reviewer, reason, decision)


def fall_back(review: Review, fallback: Fallback) -> Ruling:
    """The ruling of the policy where no reviewer answered.

    `gate`: the query is allowed if the gate's probability of `allow` is at least LEANING. It is blocked if it is less,
    if the gate gave no probabilities, and if it is an appeal. `block`, and `hold` once a query was held for as long as
    it may be: it is blocked. The category is that of the review event, or else the most probable one.
    """
    if fallback == "gate":
        allow = review.appeal is None and review.probabilities.get("allow", 0.0) >= LEANING
        category = None if allow else suspected(review)
        return Ruling(allow, category, "policy:gate", ReviewCode.FELL_BACK_TO_GATE, fallback=fallback)
    reason = ReviewCode.HELD_TOO_LONG if fallback == "hold" else ReviewCode.FELL_BACK_TO_BLOCK
    return Ruling(False, suspected(review), "policy:block", reason, fallback=fallback)


def suspected(review: Review) -> str:
    """The category that the gate suspects; `none` where it gave no answer."""
    if review.category:
        return review.category
    probabilities = {name: value for name, value in review.probabilities.items() if name in set(Category)}
    return max(probabilities, key=probabilities.__getitem__) if probabilities else "none"


def make_events(task: ReviewTask, ruling: Ruling, stamp: Stamp) -> tuple[OutcomeName, list[tuple[str, OutputEvent]]]:
    """The outcome's name and its events, each with the name of its topic."""
    review = task.review
    events: list[tuple[str, OutputEvent]] = [("reviewed", _reviewed(review, ruling, stamp))]
    if ruling.allow:
        return "allowed", [
            *events,
            ("recall", _recall(review, ruling, stamp)),
            ("ranking", _ranking(review, ruling, stamp)),
        ]
    if review.appeal is None:
        events.append(("blocked", _blocked(review, ruling, stamp)))
    return "blocked", events


def _reviewed(review: Review, ruling: Ruling, stamp: Stamp) -> Reviewed:
    decision = ruling.decision
    return Reviewed(
        **stamp.fields(),
        allow=ruling.allow,
        category=ruling.category,
        reviewer=ruling.reviewer,
        rationale=decision.rationale if decision else None,
        review=None if review.appeal else review,
        blocked=review.appeal.blocked if review.appeal else None,
        query=review.query if review.appeal and ruling.allow else None,
        fallback=ruling.fallback,
        reviewer_prompt_version=decision.prompt_version if decision else None,
        reviewer_prompt_hash=decision.prompt_hash if decision else None,
    )


def _recall(review: Review, ruling: Ruling, stamp: Stamp) -> Recall:
    return Recall(
        **stamp.fields(),
        query=review.query,
        lexical=review.lexical,
        semantic=review.semantic,
        intent=review.intent,
        synonyms=review.synonyms,
        facets=review.facets,
        reason_codes=[*review.reason_codes, ruling.reason],
        degraded=review.degraded,
        context=review.context,
    )


def _ranking(review: Review, ruling: Ruling, stamp: Stamp) -> Ranking:
    allow = review.probabilities.get("allow")
    return Ranking(
        **stamp.fields(),
        intent=review.intent,
        allow_probability=allow,
        scores=score_query(review.query, review.lexical, allow),
        reason_codes=[*review.reason_codes, ruling.reason],
        degraded=review.degraded,
        context=review.context,
        query=review.query,
        lexical=review.lexical,
        semantic=review.semantic,
    )


def _blocked(review: Review, ruling: Ruling, stamp: Stamp) -> Blocked:
    category = ruling.category or "none"
    return Blocked(
        **stamp.fields(),
        gate="reviewer",
        category=category,
        probability=review.probabilities.get(category, 0.0),
        reason=ruling.reason,
        reason_codes=[*review.reason_codes, ruling.reason],
        context=review.context,
        source=review.source,
    )
