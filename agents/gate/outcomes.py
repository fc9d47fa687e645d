"""Turns a decision into the events to publish. Pure functions, but for the time of processing.

allow   ─► recall, ranking          review ─► review
block   ─► blocked                  error  ─► deadletter          always ─► ledger
"""

from typing import Final, TypedDict

import msgspec
from msgspec.structs import replace
from rapidfuzz.fuzz import ratio

from sluicegate.agents.deciding.decider import Decision
from sluicegate.agents.deciding.ledger_record import Stamp, outcome_of
from sluicegate.agents.kafka.record import Record
from sluicegate.models.inference.policy import Verdict
from sluicegate.schemas.codec import value_hash
from sluicegate.schemas.events import (
    Blocked,
    Context,
    DeadLetter,
    OutcomeName,
    OutputEvent,
    Position,
    Ranking,
    RawQuery,
    Recall,
    RecordHeader,
    Review,
    Score,
)
from sluicegate.schemas.vocabulary import ScoreName

_LONGEST_ERROR = 1000
MAX_PART_BYTES: Final = 100_000
"""Largest key, and largest headers, in a dead letter that was refused as too large: Kafka's default limit is 1 MB."""
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
        return outcome, [("review", _review(decision, stamp, context))]
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
    }


def _recall(decision: Decision, stamp: Stamp, context: Context) -> Recall:
    return Recall(
        **stamp.fields(),
        **_understood(decision, context),
        suggestions=list(decision.suggestions),
        expansions=list(decision.model_result.expansions),
    )


def _ranking(decision: Decision, stamp: Stamp, context: Context) -> Ranking:
    return Ranking(
        **stamp.fields(),
        intent=decision.model_result.intent,
        allow_probability=decision.model_result.probabilities.get("allow"),
        scores=score_signals(decision),
        reason_codes=decision.reason_codes,
        degraded=decision.degraded is not None,
        context=context,
        query=decision.text,
        lexical=decision.model_result.lexical,
        semantic=decision.model_result.semantic,
    )


def score_signals(decision: Decision) -> list[Score]:
    """Signals for a ranker, each from 0 to 1, with its reason in words."""
    words = len(decision.model_result.lexical.split())
    fidelity = round(ratio(decision.text.lower(), decision.model_result.lexical.lower()) / 100, 4)
    signals = [
        Score(
            name=ScoreName.SPECIFICITY,
            value=min(1.0, words / _SPECIFIC_WORDS),
            reason=f"{words} words of {_SPECIFIC_WORDS}",
        ),
        Score(name=ScoreName.FIDELITY, value=fidelity, reason="likeness of the lexical query to what the user typed"),
    ]
    if allow := decision.model_result.probabilities.get("allow"):
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
    )


def _review(decision: Decision, stamp: Stamp, context: Context) -> Review:
    return Review(
        **stamp.fields(),
        **_understood(decision, context),
        category=decision.model_result.policy_result.category,
        probabilities=decision.model_result.probabilities,
        reason=decision.model_result.policy_result.reason,
    )


def make_dead_letter(record: Record, error: Exception, stamp: Stamp) -> DeadLetter:
    """The dead letter for `record`, all of it that could be read, that `error` stopped."""
    last_offset = record.unreadable.last_offset if record.unreadable else None
    return DeadLetter(
        **stamp.fields(),
        error_type=type(error).__name__,
        error=str(error)[:_LONGEST_ERROR] or type(error).__name__,
        source=record.position,
        key=record.key,
        value=record.value,
        headers=[_record_header(name, value) for name, value in record.headers],
        value_omitted=last_offset is not None,
        last_offset=last_offset,
    )


def shorten_dead_letter(letter: DeadLetter) -> DeadLetter:
    """`letter` for a topic that refuses it as too large: without its value, and no part above MAX_PART_BYTES."""
    letter = replace(letter, value=None, value_omitted=True, input_hash=value_hash(letter.value))
    if len(msgspec.json.encode(letter.headers)) > MAX_PART_BYTES:
        letter = replace(letter, headers=[], headers_omitted=True)
    if len(letter.key or b"") > MAX_PART_BYTES:
        letter = replace(letter, key=None, key_omitted=True)
    return letter


def _record_header(name: str, value: bytes | None) -> RecordHeader:
    """The header; `name` may hold surrogate escapes, in place of bytes that are not UTF-8."""
    raw = name.encode(errors="surrogateescape")
    shown = raw.decode(errors="backslashreplace")
    return RecordHeader(name=shown, value=value, name_bytes=None if shown == name else raw)
