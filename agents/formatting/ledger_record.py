"""The audit record of one formatted text: the same for an action from Kafka and for a request over HTTP."""

from collections.abc import Sequence
from typing import Final

from sluicegate.agents.deciding.ledger_record import Stamp
from sluicegate.agents.formatting.grounding import followed
from sluicegate.models.formatting.formatter import FormatFailure, Formatted
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.models.inference.labels import LABELS_VERSION
from sluicegate.schemas.events import FormattingTrace, LedgerRecord, Position, StageLatencies, Tokens
from sluicegate.schemas.version import VERSION

_LONGEST_ERROR: Final = 1000


def make_formatting_record(
    stamp: Stamp,
    *,
    source: Position,
    trace_id: str,
    result: Formatted | FormatFailure | None,
    schema: FormatSchema | None,
    latency_ms: StageLatencies,
    input_hash: str | None,
    error: Exception | None,
    outputs: Sequence[Position] = (),
    reason_codes: Sequence[str] = (),
    replay_of: str | None = None,
) -> LedgerRecord:
    """The record. `result` is None if the formatter was not asked; with an `error` the outcome is a dead letter."""
    return LedgerRecord(
        **stamp.fields(),
        sluicegate_version=VERSION,
        source=source,
        outcome="deadletter" if error else "formatted",
        outputs=list(outputs),
        trace_id=trace_id,
        labels_version=LABELS_VERSION,
        prompt_hash=result.prompt_hash if result else None,
        output_hash=result.output_hash if isinstance(result, Formatted) else None,
        tokens=Tokens(
            input=result.input_tokens if result else 0,
            output=result.output_tokens if result else 0,
        ),
        latency_ms=latency_ms,
        decision=None,
        validation="valid" if error is None else f"{type(error).__name__}: {error}"[:_LONGEST_ERROR],
        input_hash=input_hash,
        replay_of=replay_of,
        formatting=FormattingTrace(
            json_schema=followed(schema) if schema else None,
            ungrounded=list(result.ungrounded) if isinstance(result, Formatted) else [],
            steps=result.steps if result else 0,
            prefills=result.prefills if result else 0,
            reason_codes=list(reason_codes),
        ),
    )
