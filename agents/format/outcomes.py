"""Turns what a formatter wrote into the events to publish. Pure functions, but for the time of processing."""

import json
from collections.abc import Sequence
from typing import Final

from sluicegate.agents.deciding.ledger_record import Stamp
from sluicegate.agents.formatting.grounding import followed, grounding_of
from sluicegate.agents.kafka.publisher import Delivered
from sluicegate.agents.outcomes.event import Event
from sluicegate.models.formatting.formatter import FormatFailure, Formatted
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.models.inference.labels import LABELS_VERSION
from sluicegate.schemas.codec import value_hash
from sluicegate.schemas.events import (
    Context,
    FormattedAction,
    FormattingTrace,
    LedgerRecord,
    Position,
    RawAction,
    StageLatencies,
    Tokens,
)

_LONGEST_ERROR: Final = 1000


def make_formatted_action(
    action: RawAction,
    formatted: Formatted,
    schema: FormatSchema,
    stamp: Stamp,
    source: Position,
    reason_codes: Sequence[str],
) -> FormattedAction:
    """The output for `action`. `source` is where the raw action is."""
    return FormattedAction(
        **stamp.fields(),
        value=json.loads(formatted.value),
        json_schema=followed(schema),
        grounding=grounding_of(formatted),
        ungrounded=list(formatted.ungrounded),
        tokens=Tokens(input=formatted.input_tokens, output=formatted.output_tokens),
        reason_codes=list(reason_codes),
        context=Context(
            user_id=action.user_id, session_id=action.session_id, locale=action.locale, surface=action.surface
        ),
        source=source,
    )


def make_ledger_record(
    event: Event,
    delivered: Sequence[Delivered],
    *,
    result: Formatted | FormatFailure | None,
    schema: FormatSchema | None,
    reason_codes: Sequence[str],
    latency_ms: StageLatencies,
) -> LedgerRecord:
    """The audit record of an action. `result` is None if the formatter was not asked."""
    error = event.error
    return LedgerRecord(
        **event.stamp.fields(),
        source=event.record.position,
        outcome="deadletter" if error else "formatted",
        outputs=[Position(topic=at.topic, partition=at.partition, offset=at.offset) for at in delivered],
        trace_id=event.span.trace_id,
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
        input_hash=value_hash(event.record.value),
        replay_of=event.origin.replay_of,
        formatting=FormattingTrace(
            json_schema=followed(schema) if schema else None,
            ungrounded=list(result.ungrounded) if isinstance(result, Formatted) else [],
            steps=result.steps if result else 0,
            prefills=result.prefills if result else 0,
            reason_codes=list(reason_codes),
        ),
    )
