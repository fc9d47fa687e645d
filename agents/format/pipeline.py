"""Processes one action: decode, find its schema, format, publish, write the ledger. Then it may be acked.

Any error before the output is acknowledged ends in a dead letter that says why. Only if the dead letter cannot be
published either, `process` raises. The worker must then stop without an ack, so that the action is redelivered.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import msgspec

from sluicegate.agents.agent import Condition
from sluicegate.agents.deciding.ledger_record import Stamp
from sluicegate.agents.deciding.micro_batcher import Batched
from sluicegate.agents.format.outcomes import make_formatted_action
from sluicegate.agents.formatting.batch_observer import format_batch_observer
from sluicegate.agents.formatting.formatting import Formatting, LoadedFormatting, Result, failure_of
from sluicegate.agents.formatting.ledger_record import make_formatting_record
from sluicegate.agents.kafka.publisher import Delivered
from sluicegate.agents.kafka.record import Record
from sluicegate.agents.outcomes.event import Event, milliseconds, processing
from sluicegate.agents.outcomes.origin import origin_of
from sluicegate.agents.outcomes.publishing import OutcomePublisher, Outputs
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry import EventSpan, Outcome, Telemetry
from sluicegate.models.formatting.formatter import FormatFailure, Formatted
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.schemas.codec import DecodedAction, decode_raw_action, encode, value_hash
from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import Position, StageLatencies


@dataclass(slots=True, kw_only=True)
class _Event(Event):
    """One action on its way; each step adds what it knows."""

    deadline: float
    """Of the event loop's clock."""
    reason_codes: tuple[str, ...]
    schema: FormatSchema | None = None
    batched: Batched[Result] | None = None
    validate_ms: float | None = None


class FormatPipeline:
    """Processes records. Safe for many actions at once on one event loop."""

    def __init__(
        self, settings: Settings, formatting: Formatting[EventSpan], publisher: OutcomePublisher, telemetry: Telemetry
    ) -> None:
        self._settings = settings
        self._replay_secret = settings.replay_secret
        self._formatting = formatting
        self._publisher = publisher
        self._telemetry = telemetry

    @classmethod
    @asynccontextmanager
    async def running(cls, settings: Settings, loaded: LoadedFormatting, telemetry: Telemetry) -> AsyncIterator[Self]:
        """A pipeline with its formatter and publisher running; at the end of the block the publisher is flushed."""
        observe = format_batch_observer(telemetry, loaded.formatter.model_version)
        async with (
            OutcomePublisher.running(settings, telemetry) as publisher,
            Formatting[EventSpan].running(loaded, settings, observe) as formatting,
        ):
            yield cls(settings, formatting, publisher, telemetry)

    @property
    def queue_depth(self) -> int:
        """Actions that wait for the formatter."""
        return self._formatting.queue_depth

    def condition(self) -> Condition:
        """Its formatter, its schemas and its producer at this moment."""
        return Condition(
            models=self._formatting.description,
            policy_warnings=tuple(self._formatting.schemas.warnings()),
            can_publish=self._publisher.can_publish,
            model_busy_s=self._formatting.busy_s,
            failing_tasks=tuple(self._formatting.warnings()),
        )

    async def process(self, record: Record) -> None:
        """Bring `record` to a named outcome that the broker has acknowledged.

        Raises:
            PublishFailed: not even a dead letter could be published; do not ack.
        """
        with processing(self._telemetry, record, self._settings.format_consumer_group) as span:
            event = self._begin(record, span)
            try:
                decoded = self._decode(event)
                schema = await self._find_schema(event, decoded)
                formatted = await self._format(event, decoded, schema)
                outputs = self._make_outputs(event, decoded, schema, formatted)
                delivered = await self._publisher.publish(event, outputs)
            except Exception as error:  # noqa: BLE001 - the action's boundary: any error ends in a dead letter
                delivered = await self._publisher.publish_dead_letter(event, error)
            await self._write_ledger(event, delivered)
            self._report(event)

    def _begin(self, record: Record, span: EventSpan) -> _Event:
        origin, formatter = origin_of(record, self._replay_secret), self._formatting.formatter
        return _Event(
            record=record,
            origin=origin,
            span=span,
            stamp=Stamp(origin.event_id, origin.event_time, formatter.model_version, formatter.prompt_version),
            deadline=asyncio.get_running_loop().time() + self._settings.format_deadline_ms / 1000,
            reason_codes=origin.reason_codes,
        )

    def _decode(self, event: _Event) -> DecodedAction:
        try:
            record = event.record
            record.require_readable()
            decoded = decode_raw_action(record.value, record.headers, self._settings.input_format)
        except ContractError:
            event.keep_id_of_broken_record()
            raise
        action = decoded.action
        event.stamp = msgspec.structs.replace(
            event.stamp,
            event_id=action.event_id or event.stamp.event_id,
            event_time=action.event_time or event.stamp.event_time,
        )
        event.reason_codes = (*event.reason_codes, *decoded.codes)
        if action.deadline_ms is not None:
            event.deadline = min(event.deadline, asyncio.get_running_loop().time() + action.deadline_ms / 1000)
        return decoded

    async def _find_schema(self, event: _Event, decoded: DecodedAction) -> FormatSchema:
        action = decoded.action
        event.schema = await self._formatting.schema_of(
            action.schema, action.schema_id, action.schema_version, deadline=event.deadline
        )
        return event.schema

    async def _format(self, event: _Event, decoded: DecodedAction, schema: FormatSchema) -> Formatted:
        batched = await self._formatting.format(decoded.action.text, schema, event.span, deadline=event.deadline)
        event.batched = batched
        self._telemetry.record_stage(event.span, "queue", batched.queued_ns, batched.started_ns)
        self._telemetry.record_model(
            event.span,
            batched.started_ns,
            batched.ended_ns,
            model=event.stamp.model_version,
            input_tokens=batched.result.input_tokens,
            output_tokens=batched.result.output_tokens,
        )
        if isinstance(batched.result, FormatFailure):
            raise failure_of(batched.result)
        return batched.result

    def _make_outputs(
        self, event: _Event, decoded: DecodedAction, schema: FormatSchema, formatted: Formatted
    ) -> Outputs:
        started_ns = time.time_ns()
        action = make_formatted_action(
            decoded.action, formatted, schema, event.stamp, event.record.position, event.reason_codes
        )
        outputs = [("actions_formatted", encode(action))]
        ended_ns = time.time_ns()
        event.validate_ms = milliseconds(started_ns, ended_ns)
        self._telemetry.record_stage(event.span, "validate", started_ns, ended_ns)
        return outputs

    async def _write_ledger(self, event: _Event, delivered: Sequence[Delivered]) -> None:
        entry = make_formatting_record(
            event.stamp,
            source=event.record.position,
            trace_id=event.span.trace_id,
            result=event.batched.result if event.batched else None,
            schema=event.schema,
            latency_ms=_latencies(event),
            input_hash=value_hash(event.record.value),
            error=event.error,
            outputs=[Position(topic=at.topic, partition=at.partition, offset=at.offset) for at in delivered],
            reason_codes=event.reason_codes,
            replay_of=event.origin.replay_of,
        )
        await self._publisher.publish_ledger_record(event, entry)

    def _report(self, event: _Event) -> None:
        self._telemetry.record(
            event.span,
            Outcome(
                event_id=event.stamp.event_id,
                duration_s=event.total_ms / 1000,
                reason_codes=event.reason_codes,
                error_type=type(event.error).__name__ if event.error else None,
            ),
        )


def _latencies(event: _Event) -> StageLatencies:
    batched = event.batched
    return StageLatencies(
        queue=milliseconds(batched.queued_ns, batched.started_ns) if batched else None,
        model=milliseconds(batched.started_ns, batched.ended_ns) if batched else None,
        validate=event.validate_ms,
        publish=event.publish_ms,
        total=event.total_ms,
    )
