"""Processes one event: decode, decide, make the outputs, publish them, write the ledger. Then it may be acked.

Any error before the outputs are acknowledged ends in a dead letter. Only if the dead letter cannot be published either,
`process` raises. The worker must then stop without an ack, so that the event is redelivered.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import msgspec

from sluicegate.agents.agent import Condition
from sluicegate.agents.deciding.batch_observer import batch_observers
from sluicegate.agents.deciding.decider import Decider
from sluicegate.agents.deciding.decision import Decision
from sluicegate.agents.deciding.ledger_record import Stamp, make_ledger_record, outcome_of
from sluicegate.agents.deciding.live_models import LiveModels, LoadedModels
from sluicegate.agents.deciding.second_report import observe_second, report_second
from sluicegate.agents.deciding.trials import Tried, trials_of
from sluicegate.agents.error_text import describe_error
from sluicegate.agents.gate.dedup import DedupWindow
from sluicegate.agents.gate.outcomes import make_events
from sluicegate.agents.kafka.publisher import Delivered
from sluicegate.agents.kafka.record import Record
from sluicegate.agents.outcomes.event import Event, milliseconds, processing
from sluicegate.agents.outcomes.origin import Origin, origin_of
from sluicegate.agents.outcomes.publishing import OutcomePublisher, Outputs
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry import EventSpan, Outcome, Telemetry
from sluicegate.schemas.codec import DecodedQuery, decode_raw_query, encode, event_id_of, value_hash
from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import OutcomeName, Position, StageLatencies

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Event(Event):
    """One event on its way; each step adds what it knows."""

    decider: Decider[EventSpan]
    decision: Decision | None = None
    outcome: OutcomeName = "deadletter"
    validate_ms: float | None = None


class Pipeline:
    """Processes records. Safe for many events at once on one event loop."""

    def __init__(
        self,
        settings: Settings,
        live_models: LiveModels[EventSpan],
        publisher: OutcomePublisher,
        telemetry: Telemetry,
    ) -> None:
        self._settings = settings
        self._replay_secret = settings.replay_secret
        self._live_models = live_models
        self._publisher = publisher
        self._telemetry = telemetry
        self._dedup = DedupWindow(settings.dedup_window) if settings.dedup_window else None
        self._shadows: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def running(cls, settings: Settings, models: LoadedModels, telemetry: Telemetry) -> AsyncIterator[Self]:
        """A pipeline with its models and publisher running; at the end of the block the publisher is flushed."""

        async with (
            OutcomePublisher.running(settings, telemetry) as publisher,
            LiveModels.running(models, settings, batch_observers(telemetry)) as live_models,
        ):
            observe_second(telemetry, live_models.second)
            pipeline = cls(settings, live_models, publisher, telemetry)
            try:
                yield pipeline
            finally:
                await pipeline.drop_shadows()

    async def drop_shadows(self) -> None:
        """Cancel the unfinished shadow decisions: no event waits for them."""
        for task in self._shadows:
            task.cancel()
        await asyncio.gather(*self._shadows, return_exceptions=True)

    @property
    def live_models(self) -> LiveModels[EventSpan]:
        """The models in service, which decide for the HTTP API too."""
        return self._live_models

    @property
    def queue_depth(self) -> int:
        """Queries that wait for the engine."""
        return self._live_models.queue_depth

    def condition(self) -> Condition:
        """Its models, its policies and its producer at this moment."""
        models, policies = self._live_models, self._live_models.policies
        return Condition(
            models=models.description,
            policy=policies.description,
            policy_warnings=tuple(policies.warnings()),
            can_publish=self._publisher.can_publish,
            model_busy_s=models.busy_s,
            failing_tasks=tuple(models.warnings()),
        )

    async def process(self, record: Record) -> None:
        """Bring `record` to a named outcome that the broker has acknowledged.

        Raises:
            PublishFailed: not even a dead letter could be published; do not ack.
        """
        with processing(self._telemetry, record, self._settings.group_id) as span:
            await self._process_once(record, span)

    async def _process_once(self, record: Record, span: EventSpan) -> None:
        origin = origin_of(record, self._replay_secret)
        if self._dedup is None or origin.replay_of:  # a replay must be decided again
            await self._bring_to_outcome(record, origin, span)
            return
        event_id = event_id_of(record.value, record.headers) or origin.event_id
        if not await self._dedup.once(event_id, record.value, lambda: self._bring_to_outcome(record, origin, span)):
            self._telemetry.record_duplicate(span, event_id)

    async def _bring_to_outcome(self, record: Record, origin: Origin, span: EventSpan) -> bool:
        """One event from its record to the ledger; returns whether it was decided: False for a dead letter."""
        decider = self._live_models.in_use
        stamp = _stamp(origin.event_id, origin.event_time, decider)
        event = _Event(record=record, origin=origin, span=span, stamp=stamp, decider=decider)
        try:
            decoded = self._decode(event)
            decision = await self._decide(event, decoded)
            self._start_shadows(event, decoded, decision)
            outputs = self._make_outputs(event, decoded, decision)
            delivered = await self._publisher.publish(event, outputs)
        except Exception as error:  # noqa: BLE001 - the event's boundary: any error ends in a dead letter
            event.outcome = "deadletter"
            delivered = await self._publisher.publish_dead_letter(event, error)
        await self._write_ledger(event, delivered)
        self._report(event)
        return event.error is None

    def _decode(self, event: _Event) -> DecodedQuery:
        origin, record = event.origin, event.record
        try:
            record.require_readable()
            decoded = decode_raw_query(record.value, record.headers, self._settings.input_format)
        except ContractError:
            event.keep_id_of_broken_record()
            raise
        raw = decoded.query
        event_id = raw.event_id or origin.event_id
        event.decider = self._live_models.choose(event_id)
        event.stamp = _stamp(event_id, raw.event_time or origin.event_time, event.decider)
        return decoded

    async def _decide(self, event: _Event, decoded: DecodedQuery) -> Decision:
        decision = await event.decider.decide(
            decoded.query.query,
            event.span,
            locale=decoded.query.locale,
            deadline_ms=decoded.query.deadline_ms,
            age_s=time.time() - event.record.timestamp.timestamp(),
            input_codes=(*event.origin.reason_codes, *decoded.codes),
            surface=decoded.query.surface,
            event_id=event.stamp.event_id,
        )
        event.decision = decision
        event.stamp = msgspec.structs.replace(event.stamp, policy_version=decision.policy_version)
        self._record_stages(event, decision)
        return decision

    def _make_outputs(self, event: _Event, decoded: DecodedQuery, decision: Decision) -> Outputs:
        started_ns = time.time_ns()
        event.outcome, events = make_events(decoded.query, decision, event.stamp, event.record.position)
        outputs = [(topic, encode(output)) for topic, output in events]
        if event.outcome != "allowed" or decision.degraded:
            event.span.keep()
        ended_ns = time.time_ns()
        event.validate_ms = milliseconds(started_ns, ended_ns)
        self._telemetry.record_stage(event.span, "validate", started_ns, ended_ns)
        return outputs

    async def _write_ledger(self, event: _Event, delivered: Sequence[Delivered], *, shadow: bool = False) -> None:
        entry = make_ledger_record(
            event.stamp,
            source=event.record.position,
            outcome=event.outcome,
            outputs=[Position(topic=at.topic, partition=at.partition, offset=at.offset) for at in delivered],
            trace_id=event.span.trace_id,
            latency_ms=_latencies(event),
            decision=event.decision,
            policy=event.decider.engine.policy,
            error=event.error,
            with_text=self._settings.ledger_text,
            shadow=shadow,
            input_hash=value_hash(event.record.value),
            replay_of=event.origin.replay_of,
        )
        await self._publisher.publish_ledger_record(event, entry)

    def _start_shadows(self, event: _Event, decoded: DecodedQuery, decision: Decision) -> None:
        """Let what is on trial decide the event too."""
        for tried in trials_of(self._live_models, event.stamp.event_id, event.decider, decision):
            if len(self._shadows) < self._settings.window:
                stamp = _stamp(event.stamp.event_id, event.stamp.event_time, tried.decider)
                shadow = _Event(
                    record=event.record, origin=event.origin, span=event.span, stamp=stamp, decider=tried.decider
                )
                task = asyncio.create_task(self._decide_shadow(shadow, decoded, tried), name="shadow")
                self._shadows.add(task)
                task.add_done_callback(self._shadows.discard)

    async def _decide_shadow(self, event: _Event, decoded: DecodedQuery, tried: Tried[EventSpan]) -> None:
        """Decide the event once more, for the ledger only. If that fails, there is no ledger record."""
        try:
            event.decision = await event.decider.decide(
                decoded.query.query,
                event.span,
                locale=decoded.query.locale,
                deadline_ms=decoded.query.deadline_ms,
                input_codes=(*event.origin.reason_codes, *decoded.codes),
                surface=decoded.query.surface,
                policy=tried.policy,
                event_id=event.stamp.event_id,
                trial=tried.trial,
            )
            if tried.trial and not event.decision.second:
                return
            if tried.trial == "sample":
                report_second(self._telemetry, event.span, event.decision)
            event.outcome = outcome_of(event.decision)
            await self._write_ledger(event, [], shadow=True)
        except Exception as error:  # noqa: BLE001 - no error of a shadow may harm the event
            logger.warning("no shadow of %s: %s", event.record.position, describe_error(error))

    def _record_stages(self, event: _Event, decision: Decision) -> None:
        record_stage = self._telemetry.record_stage
        record_stage(event.span, "normalise", decision.normalise_started_ns, decision.normalise_ended_ns)
        for batched in decision.batches:
            record_stage(event.span, "queue", batched.queued_ns, batched.started_ns)
            self._telemetry.record_model(
                event.span,
                batched.started_ns,
                batched.ended_ns,
                model=event.decider.engine.manifest.model_version,
                input_tokens=batched.result.input_tokens,
                output_tokens=batched.result.output_tokens,
            )

        report_second(self._telemetry, event.span, decision)

    def _report(self, event: _Event) -> None:
        decision = event.decision if event.error is None else None
        policy_result = decision.model_result.policy_result if decision else None
        self._telemetry.record(
            event.span,
            Outcome(
                event_id=event.stamp.event_id,
                duration_s=(time.time_ns() - event.started_ns) / 1e9,
                verdict=policy_result.verdict if policy_result else None,
                category=policy_result.category if policy_result else None,
                policy_version=event.stamp.policy_version,
                intent=decision.model_result.intent if decision else None,
                reason_codes=decision.reason_codes if decision else (),
                answered_by=decision.answered_by if decision else None,
                degraded=decision.degraded if decision else None,
                error_type=type(event.error).__name__ if event.error else None,
            ),
        )


def _stamp(event_id: str, event_time: datetime, decider: Decider[EventSpan]) -> Stamp:
    manifest = decider.engine.manifest
    return Stamp(event_id, event_time, manifest.model_version, manifest.prompt_version, decider.policy_version)


def _latencies(event: _Event) -> StageLatencies:
    decision = event.decision
    batched = decision.batched if decision else None
    return StageLatencies(
        normalise=milliseconds(decision.normalise_started_ns, decision.normalise_ended_ns) if decision else None,
        queue=milliseconds(batched.queued_ns, batched.started_ns) if batched else None,
        model=milliseconds(batched.started_ns, batched.ended_ns) if batched else None,
        second=milliseconds(decision.second.started_ns, decision.second.ended_ns)
        if decision and decision.second
        else None,
        validate=event.validate_ms,
        publish=event.publish_ms,
        total=event.total_ms,
    )
