"""The audit record of one decision: the same for an event from Kafka and for a query of the Python API.

A query that was decided without Kafka has no raw record. Its `source` then says who decided it: the topic is the door
and the host, as in `gate:web-1`, which no topic of Kafka can be called; the partition is the process's id; the offset
is the number of the query in this process.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypedDict

import msgspec

from sluicegate.agents.deciding.decision import Decision, SecondOpinion
from sluicegate.models.inference.labels import LABELS_VERSION
from sluicegate.models.inference.policy import Policy, Verdict
from sluicegate.models.inference.strictest import JudgedReading
from sluicegate.schemas.events import (
    Context,
    DecisionTrace,
    LedgerRecord,
    OutcomeName,
    Position,
    ReadingTrace,
    SecondTrace,
    StageLatencies,
    Threshold,
    Tokens,
)
from sluicegate.schemas.version import VERSION

_OUTCOMES: Final[Mapping[Verdict, OutcomeName]] = {
    Verdict.ALLOW: "allowed",
    Verdict.BLOCK: "blocked",
    Verdict.REVIEW: "review",
}
_LONGEST_ERROR: Final = 1000


class Stamp(msgspec.Struct, frozen=True):
    """What every output of one event repeats."""

    event_id: str
    event_time: datetime
    model_version: str
    prompt_version: str
    policy_version: str | None = None

    def fields(self) -> "OutputFields":
        """The fields of `schemas.events.Output`, processed now."""
        return {
            "event_id": self.event_id,
            "event_time": self.event_time,
            "processing_time": datetime.now(UTC),
            "model_version": self.model_version,
            "prompt_version": self.prompt_version,
            "policy_version": self.policy_version,
        }


class OutputFields(TypedDict):
    event_id: str
    event_time: datetime
    processing_time: datetime
    model_version: str
    prompt_version: str
    policy_version: str | None


def outcome_of(decision: Decision) -> OutcomeName:
    """The name of a decision's outcome."""
    return _OUTCOMES[decision.model_result.policy_result.verdict]


def make_ledger_record(
    stamp: Stamp,
    *,
    source: Position,
    outcome: OutcomeName,
    trace_id: str,
    latency_ms: StageLatencies,
    decision: Decision | None,
    policy: Policy,
    with_text: bool,
    input_hash: str | None,
    outputs: Sequence[Position] = (),
    error: Exception | None = None,
    shadow: bool = False,
    replay_of: str | None = None,
    context: Context | None = None,
) -> LedgerRecord:
    """The audit record of one event, or of a shadow decision about it; `with_text` adds the normalised query.

    `policy` has the thresholds where `decision` does not say which it was held against.
    """
    if decision and decision.policy_version:
        stamp = msgspec.structs.replace(stamp, policy_version=decision.policy_version)
    model_result = decision.model_result if decision else None
    return LedgerRecord(
        **stamp.fields(),
        sluicegate_version=VERSION,
        source=source,
        outcome=outcome,
        outputs=list(outputs),
        trace_id=trace_id,
        labels_version=LABELS_VERSION,
        prompt_hash=model_result.prompt_hash if model_result else None,
        output_hash=model_result.output_hash if model_result else None,
        tokens=decision.tokens if decision else Tokens(input=0, output=0),
        latency_ms=latency_ms,
        decision=_trace(decision, decision.thresholds or policy) if decision else None,
        validation="valid" if error is None else f"{type(error).__name__}: {error}"[:_LONGEST_ERROR],
        query=decision.text if decision and with_text else None,
        shadow=shadow,
        input_hash=input_hash,
        replay_of=replay_of,
        context=context,
    )


def _trace(decision: Decision, policy: Policy) -> DecisionTrace:
    policy_result = decision.model_result.policy_result
    return DecisionTrace(
        verdict=policy_result.verdict.value,
        category=policy_result.category,
        reason=policy_result.reason,
        probabilities=decision.model_result.probabilities,
        thresholds=_thresholds(policy),
        normalisation=list(decision.normalisation),
        reason_codes=decision.reason_codes,
        intent=decision.model_result.intent,
        degraded=decision.degraded is not None,
        answered_by=decision.answered_by,
        readings=[_reading(reading) for reading in decision.readings],
        second=second_trace(decision.second, decided=decision.second_decided) if decision.second else None,
    )


def second_trace(opinion: SecondOpinion, *, decided: bool) -> SecondTrace:
    """What the second model said, as the ledger and the Python API say it."""
    result = opinion.result
    said = result.policy_result if result else None
    batched = opinion.batches[0] if opinion.batches else None
    return SecondTrace(
        model_version=opinion.model_version,
        prompt_version=opinion.prompt_version,
        policy_version=opinion.policy_version,
        asked_for=opinion.asked_for.value,
        outcome=opinion.outcome,
        error=opinion.error,
        decided=decided,
        screened_verdict=opinion.screened.verdict.value,
        screened_category=opinion.screened.category,
        screened_reason=opinion.screened.reason,
        verdict=said.verdict.value if said else None,
        category=said.category if said else None,
        reason=said.reason if said else None,
        probabilities=result.probabilities if result else {},
        thresholds=_thresholds(opinion.thresholds),
        readings=[_reading(reading) for reading in opinion.readings],
        answered_by=opinion.answered_by,
        prompt_hash=result.prompt_hash if result else None,
        output_hash=result.output_hash if result else None,
        tokens=opinion.tokens,
        queue_ms=_milliseconds(batched.queued_ns, batched.started_ns) if batched else None,
        model_ms=_milliseconds(batched.started_ns, batched.ended_ns) if batched else None,
    )


def _thresholds(policy: Policy) -> dict[str, Threshold]:
    return {str(category): limit for category, limit in policy.thresholds.items()}


def _reading(reading: JudgedReading) -> ReadingTrace:
    policy_result = reading.result.policy_result
    return ReadingTrace(name=reading.name, verdict=policy_result.verdict.value, reason=policy_result.reason)


def _milliseconds(started_ns: int, ended_ns: int) -> float:
    return max(0, ended_ns - started_ns) / 1e6
