"""Turns a decision into the events to publish. Pure functions, but for the time of processing.

allow   ─► recall, ranking          review ─► review          block   ─► blocked
"""

from typing import TypedDict

from rapidfuzz.fuzz import ratio

from sluicegate.agents.deciding.decision import Decision
from sluicegate.agents.deciding.ledger_record import Stamp, outcome_of
from sluicegate.models.inference.policy import Verdict
from sluicegate.schemas.events import (
    Blocked,
    Context,
    OutcomeName,
    OutputEvent,
    Position,
    Ranking,
    RawQuery,
    Recall,
    Review,
    Score,
)
from sluicegate.schemas.vocabulary import ScoreName

_SPECIFIC_WORDS = 6
"""A query of so many words is as specific as can be."""


def make_events(
    raw: RawQuery, decision: Decision, stamp: Stamp, source: Position
) -> tuple[OutcomeName, list[tuple[str, OutputEvent]]]:
    """The outcome's name and its events, each with the name of its topic. `source` is where the raw record is."""
    verdict = decision.model_result.policy_result.verdict
    outcome = outcome_of(decision)
    context = Context(user_id=raw.user_id, session_id=raw.session_id, locale=raw.locale, surface=raw.surface)
    if verdict is Verdict.BLOCK:
        return outcome, [("blocked", _blocked(decision, stamp, context, source))]
    if verdict is Verdict.REVIEW:
        return outcome, [("review", _review(decision, stamp, context, source))]
    return outcome, [
        ("recall", _recall(decision, stamp, context)),
        ("ranking", _ranking(decision, stamp, context)),
    ]


class _UnderstoodFields(TypedDict):
    query: str
    lexical: str
    semantic: str
    intent: str
    synonyms: list[str]
    facets: list[str]
    reason_codes: list[str]
    degraded: bool
    context: Context
    second_model_version: str | None


def _understood(decision: Decision, context: Context) -> _UnderstoodFields:
    model_result = decision.model_result
    return {
        "query": decision.text,
        "lexical": model_result.lexical,
        "semantic": model_result.semantic,
        "intent": model_result.intent,
        "synonyms": list(model_result.synonyms),
        "facets": list(model_result.facets),
        "reason_codes": decision.reason_codes,
        "degraded": decision.degraded is not None,
        "context": context,
        "second_model_version": decision.second_model_version,
    }


def _recall(decision: Decision, stamp: Stamp, context: Context) -> Recall:
    return Recall(
        **stamp.fields(),
        **_understood(decision, context),
        suggestions=list(decision.suggestions),
        expansions=list(decision.model_result.expansions),
    )


def _ranking(decision: Decision, stamp: Stamp, context: Context) -> Ranking:
    allow = decision.allow_probability
    return Ranking(
        **stamp.fields(),
        intent=decision.model_result.intent,
        allow_probability=allow,
        scores=score_query(decision.text, decision.model_result.lexical, allow),
        reason_codes=decision.reason_codes,
        degraded=decision.degraded is not None,
        context=context,
        query=decision.text,
        lexical=decision.model_result.lexical,
        semantic=decision.model_result.semantic,
        second_model_version=decision.second_model_version,
    )


def score_query(query: str, lexical: str, allow: float | None) -> list[Score]:
    """Signals for a ranker, each from 0 to 1, with its reason in words. `allow` is the gate's probability of that."""
    words = len(lexical.split())
    fidelity = round(ratio(query.lower(), lexical.lower()) / 100, 4)
    signals = [
        Score(
            name=ScoreName.SPECIFICITY,
            value=min(1.0, words / _SPECIFIC_WORDS),
            reason=f"{words} words of {_SPECIFIC_WORDS}",
        ),
        Score(name=ScoreName.FIDELITY, value=fidelity, reason="likeness of the lexical query to what the user typed"),
    ]
    if allow:
        signals.append(Score(name=ScoreName.SAFETY, value=allow, reason="the gate's probability of allow"))
    return signals


def _blocked(decision: Decision, stamp: Stamp, context: Context, source: Position) -> Blocked:
    policy_result = decision.model_result.policy_result
    return Blocked(
        **stamp.fields(),
        category=policy_result.category or "none",
        probability=policy_result.probability,
        reason=policy_result.reason,
        reason_codes=decision.reason_codes,
        context=context,
        source=source,
        second_model_version=decision.second_model_version,
    )


def _review(decision: Decision, stamp: Stamp, context: Context, source: Position) -> Review:
    return Review(
        **stamp.fields(),
        **_understood(decision, context),
        category=decision.model_result.policy_result.category,
        probabilities=decision.model_result.probabilities,
        reason=decision.model_result.policy_result.reason,
        thresholds={str(category): limit for category, limit in decision.thresholds.thresholds.items()}
        if decision.thresholds
        else {},
        source=source,
    )
