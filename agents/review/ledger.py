"""The audit record of a review."""

from typing import Final

from sluicegate.agents.review.event import ReviewEvent
from sluicegate.models.inference.labels import LABELS_VERSION
from sluicegate.schemas.codec import value_hash
from sluicegate.schemas.events import AskedReviewer, LedgerRecord, Position, ReviewTrace, StageLatencies, Tokens
from sluicegate.schemas.version import VERSION

_LONGEST_ERROR: Final = 1000


def make_ledger_record(event: ReviewEvent, *, with_text: bool) -> LedgerRecord:
    """The audit record of `event`, once its outputs are acknowledged; `with_text` adds the query.

    It never has the rationale, which may quote the query.
    """
    task, error = event.task, event.error
    decision = event.ruling.decision if event.ruling else None
    return LedgerRecord(
        **event.stamp.fields(),
        sluicegate_version=VERSION,
        source=event.record.position,
        outcome=event.outcome,
        outputs=[Position(topic=at.topic, partition=at.partition, offset=at.offset) for at in event.outputs],
        trace_id=event.span.trace_id,
        labels_version=LABELS_VERSION,
        prompt_hash=None,
        output_hash=None,
        tokens=Tokens(input=decision.input_tokens if decision else 0, output=decision.output_tokens if decision else 0),
        latency_ms=StageLatencies(model=event.asked_ms, publish=event.publish_ms, total=event.total_ms),
        decision=None,
        validation="valid" if error is None else f"{type(error).__name__}: {error}"[:_LONGEST_ERROR],
        query=task.review.query if task and with_text else None,
        input_hash=task.input_hash if task else value_hash(event.record.value),
        replay_of=event.origin.replay_of,
        review=_trace(event) if task and error is None else None,
    )


def _trace(event: ReviewEvent) -> ReviewTrace:
    ruling = event.ruling
    decision = ruling.decision if ruling else None
    return ReviewTrace(
        reviewer=ruling.reviewer if ruling else None,
        allow=ruling.allow if ruling else None,
        category=ruling.category if ruling else None,
        fallback=ruling.fallback if ruling else None,
        prompt_version=decision.prompt_version if decision else None,
        prompt_hash=decision.prompt_hash if decision else None,
        rounds=event.rounds,
        unanswered=[AskedReviewer(reviewer=each.reviewer, reason=each.reason) for each in event.unanswered],
        cost=decision.cost if decision else 0.0,
    )
