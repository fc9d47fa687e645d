"""One event's way, top to bottom: decode, decide, check, publish, record. It returns when the event may be acked.

Whatever goes wrong before the outputs are out becomes a dead letter. Only when that cannot be published either does
`process` raise, and then the worker must stop without acking: the event comes again.
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
from opentelemetry.context import Context

from sluicegate.agents.deciding.decider import BatchObserver, Decider, Decision
from sluicegate.agents.deciding.live_models import LiveModels, LoadedModels
from sluicegate.agents.error_text import describe_error
from sluicegate.agents.gate.dedup import DedupWindow
from sluicegate.agents.gate.outcomes import Stamp, dead_letter, decided, ledger_record, outcome_of
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.publisher import Delivered, Publisher
from sluicegate.agents.kafka.record import Record
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry import EventSpan, Outcome, Telemetry
from sluicegate.agents.time_budget import CLOSE_PUBLISHER_S
from sluicegate.models.artifacts.manifest import Manifest
from sluicegate.models.inference.judge import ModelResult
from sluicegate.schemas.codec import DecodedQuery, decode_raw_query, encode, event_id_of
from sluicegate.schemas.errors import ContractError, PublishFailed
from sluicegate.schemas.events import OutcomeName, OutputEvent, StageLatencies
from sluicegate.schemas.headers import REPLAY_OF

logger = logging.getLogger(__name__)

Outputs = list[tuple[str, bytes]]
"""Topics' names (keys of `Settings.topics`) and encoded events."""


@dataclass(slots=True)
class _Attempt:
    """What is known of an event so far; filled on the way."""

    decider: Decider[EventSpan]
    stamp: Stamp
    started_ns: int
    decision: Decision | None = None
    outcome: OutcomeName = "deadletter"
    error: Exception | None = None
    validate_ms: float | None = None
    publish_ms: float | None = None


class Pipeline:
    """Processes records. Safe for many events at once on one event loop."""

    def __init__(
        self, settings: Settings, live_models: LiveModels[EventSpan], publisher: Publisher, telemetry: Telemetry
    ) -> None:
        self._settings = settings
        self._topics = settings.topics
        self._serving = live_models
        self._publisher = publisher
        self._telemetry = telemetry
        self._dedup = DedupWindow(settings.dedup_window) if settings.dedup_window else None
        self._shadows: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def running(cls, settings: Settings, models: LoadedModels, telemetry: Telemetry) -> AsyncIterator[Self]:
        """A pipeline with its models and publisher running; leaving it flushes the publisher."""

        def observer_of(model: str) -> BatchObserver[EventSpan]:
            def observe_batch(
                owners: Sequence[EventSpan], model_results: Sequence[ModelResult], started_ns: int, ended_ns: int
            ) -> None:
                telemetry.record_batch(
                    owners,
                    started_ns,
                    ended_ns,
                    model=model,
                    input_tokens=sum(model_result.input_tokens for model_result in model_results),
                    output_tokens=sum(model_result.output_tokens for model_result in model_results),
                )

            return observe_batch

        async with (
            Publisher(
                Connection.of(settings),
                delivery_timeout_s=settings.publish_timeout_ms / 1000,
                flush_timeout_s=CLOSE_PUBLISHER_S,
            ) as publisher,
            LiveModels.running(models, settings, observer_of) as live_models,
        ):
            pipeline = cls(settings, live_models, publisher, telemetry)
            try:
                yield pipeline
            finally:
                await pipeline.drop_shadows()

    async def drop_shadows(self) -> None:
        """Give up the shadows under way: nobody waits for them."""
        for task in self._shadows:
            task.cancel()
        await asyncio.gather(*self._shadows, return_exceptions=True)

    @property
    def queue_depth(self) -> int:
        """Queries that wait for the engine."""
        return self._serving.queue_depth

    @property
    def can_publish(self) -> bool:
        """Whether the producer has met no error that it cannot get over."""
        return self._publisher.fatal is None

    def warnings(self) -> list[str]:
        """What has failed and will be restarted, one sentence each: until then queries are decided by the policy."""
        return self._serving.warnings()

    @property
    def models(self) -> str:
        """The versions in service, in a few words."""
        return self._serving.description

    async def process(self, record: Record) -> None:
        """Bring `record` to a named outcome that the broker has acknowledged.

        Raises:
            PublishFailed: not even a dead letter could be published; do not ack.
        """
        with self._telemetry.process_span(
            self._telemetry.extract(record.headers),
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            group=self._settings.group_id,
            body_size=len(record.value or b""),
        ) as span:
            try:
                await self._bring_to_outcome_once(record, span)
            except Exception as error:
                logger.critical("%s has no outcome: %s", record.derived_id, describe_error(error))
                raise

    async def _bring_to_outcome_once(self, record: Record, span: EventSpan) -> None:
        if self._dedup is None or record.replay_of:
            await self._bring_to_outcome(record, span)
            return
        event_id = event_id_of(record.value) or record.derived_id
        if not await self._dedup.once(event_id, record.value, lambda: self._bring_to_outcome(record, span)):
            self._telemetry.record_duplicate(span, event_id)

    async def _bring_to_outcome(self, record: Record, span: EventSpan) -> bool:
        """Returns whether the event was decided: False for a dead letter."""
        decider = self._serving.in_use
        stamp = _stamp(record.derived_id, record.event_time, decider.engine.manifest)
        attempt = _Attempt(decider, stamp, time.time_ns())
        try:
            outputs = await self._outputs(record, span, attempt)
            delivered = await self._publish(record, span, attempt, outputs)
        except Exception as error:  # noqa: BLE001 - the event's boundary: whatever it is, it ends in a dead letter
            delivered = await self._bury(record, span, attempt, error)
        await self._write_ledger(record, span, attempt, delivered)
        self._report(span, attempt)
        return attempt.error is None

    async def _outputs(self, record: Record, span: EventSpan, attempt: _Attempt) -> Outputs:
        decoded = self._decode(record, attempt)
        raw = decoded.query
        self._begin_shadow(decoded, record, span, attempt.stamp)
        decision = attempt.decision = await attempt.decider.decide(
            raw.query,
            span,
            deadline_ms=raw.deadline_ms,
            age_s=time.time() - record.timestamp.timestamp(),
            input_codes=decoded.codes,
        )
        self._record_stages(span, attempt.decider.engine.manifest, decision)
        started_ns = time.time_ns()
        attempt.outcome, events = decided(raw, decision, attempt.stamp, record.position)
        outputs = [(topic, encode(event)) for topic, event in events]
        ended_ns = time.time_ns()
        attempt.validate_ms = _ms(started_ns, ended_ns)
        self._telemetry.record_stage(span, "validate", started_ns, ended_ns)
        return outputs

    def _decode(self, record: Record, attempt: _Attempt) -> DecodedQuery:
        try:
            record.require_readable()
            decoded = decode_raw_query(record.value)
        except ContractError:
            attempt.stamp = msgspec.structs.replace(
                attempt.stamp, event_id=event_id_of(record.value) or record.derived_id
            )
            raise
        raw = decoded.query
        event_id = raw.event_id or record.derived_id
        attempt.decider = self._serving.choose(event_id)
        attempt.stamp = _stamp(event_id, raw.event_time or record.event_time, attempt.decider.engine.manifest)
        return decoded

    def _begin_shadow(self, decoded: DecodedQuery, record: Record, span: EventSpan, stamp: Stamp) -> None:
        decider = self._serving.shadow(stamp.event_id)
        if decider and len(self._shadows) < self._settings.window:
            task = asyncio.create_task(self._shadow(decider, decoded, record, span, stamp), name="shadow")
            self._shadows.add(task)
            task.add_done_callback(self._shadows.discard)

    async def _shadow(
        self, decider: Decider[EventSpan], decoded: DecodedQuery, record: Record, span: EventSpan, stamp: Stamp
    ) -> None:
        """Let the candidate decide the event too, for the ledger only. Whatever fails leaves no record."""
        attempt = _Attempt(decider, _stamp(stamp.event_id, stamp.event_time, decider.engine.manifest), time.time_ns())
        try:
            attempt.decision = await decider.decide(
                decoded.query.query, span, deadline_ms=decoded.query.deadline_ms, input_codes=decoded.codes
            )
            attempt.outcome = outcome_of(attempt.decision)
            await self._write_ledger(record, span, attempt, [], shadow=True)
        except Exception as error:  # noqa: BLE001 - a trial harms nobody, whatever it is
            logger.warning("no shadow of %s: %s", stamp.event_id, describe_error(error))

    def _record_stages(self, span: EventSpan, manifest: Manifest, decision: Decision) -> None:
        record_stage = self._telemetry.record_stage
        record_stage(span, "normalise", decision.normalise_started_ns, decision.normalise_ended_ns)
        if batched := decision.batched:
            record_stage(span, "queue", batched.queued_ns, batched.started_ns)
            self._telemetry.record_model(
                span,
                batched.started_ns,
                batched.ended_ns,
                model=manifest.model_version,
                input_tokens=batched.result.input_tokens,
                output_tokens=batched.result.output_tokens,
            )

    async def _publish(self, record: Record, span: EventSpan, attempt: _Attempt, outputs: Outputs) -> list[Delivered]:
        started_ns = time.time_ns()
        key = record.key or attempt.stamp.event_id.encode()
        topics = [self._topics[name] for name, _ in outputs]
        with self._telemetry.publish_span(span, topics) as context:
            headers = self._headers(record, context)
            sent = [
                self._publisher.publish(topic, value, key=key, headers=headers)
                for topic, (_, value) in zip(topics, outputs, strict=True)
            ]
            delivered = await asyncio.gather(*sent)
        attempt.publish_ms = _ms(started_ns, time.time_ns())
        return delivered

    def _headers(self, record: Record, context: Context) -> list[tuple[str, bytes | None]]:
        replay_of = record.replay_of
        return [*self._telemetry.inject(context), *([(REPLAY_OF, replay_of.encode())] if replay_of else [])]

    async def _bury(self, record: Record, span: EventSpan, attempt: _Attempt, error: Exception) -> list[Delivered]:
        attempt.outcome, attempt.error = "deadletter", error
        try:
            whole: OutputEvent = dead_letter(record, error, attempt.stamp)
            return await self._publish(record, span, attempt, [("deadletter", encode(whole))])
        except PublishFailed as refusal:
            if not refusal.too_large:
                raise
            reference = dead_letter(record, error, attempt.stamp, omit_value=True)
            return await self._publish(record, span, attempt, [("deadletter", encode(reference))])

    async def _write_ledger(
        self,
        record: Record,
        span: EventSpan,
        attempt: _Attempt,
        delivered: Sequence[Delivered],
        *,
        shadow: bool = False,
    ) -> None:
        entry = ledger_record(
            record,
            attempt.stamp,
            outcome=attempt.outcome,
            outputs=delivered,
            trace_id=span.trace_id,
            latency_ms=_latencies(attempt),
            decision=attempt.decision,
            policy=attempt.decider.engine.policy,
            error=attempt.error,
            with_text=self._settings.ledger_text,
            shadow=shadow,
        )
        await self._publisher.publish(
            self._topics["ledger"],
            encode(entry),
            key=attempt.stamp.event_id.encode(),
            headers=self._headers(record, span.context),
        )

    def _report(self, span: EventSpan, attempt: _Attempt) -> None:
        decision = attempt.decision if attempt.error is None else None
        policy_result = decision.model_result.policy_result if decision else None
        self._telemetry.record(
            span,
            Outcome(
                event_id=attempt.stamp.event_id,
                duration_s=(time.time_ns() - attempt.started_ns) / 1e9,
                verdict=policy_result.verdict if policy_result else None,
                category=policy_result.category if policy_result else None,
                intent=decision.model_result.intent if decision else None,
                reason_codes=decision.reason_codes if decision else (),
                answered_by=decision.answered_by if decision else None,
                degraded=decision.degraded if decision else None,
                error_type=type(attempt.error).__name__ if attempt.error else None,
            ),
        )


def _stamp(event_id: str, event_time: datetime, manifest: Manifest) -> Stamp:
    return Stamp(event_id, event_time, manifest.model_version, manifest.prompt_version)


def _ms(started_ns: int, ended_ns: int) -> float:
    return max(0, ended_ns - started_ns) / 1e6


def _latencies(attempt: _Attempt) -> StageLatencies:
    decision = attempt.decision
    batched = decision.batched if decision else None
    return StageLatencies(
        normalise=_ms(decision.normalise_started_ns, decision.normalise_ended_ns) if decision else None,
        queue=_ms(batched.queued_ns, batched.started_ns) if batched else None,
        model=_ms(batched.started_ns, batched.ended_ns) if batched else None,
        validate=attempt.validate_ms,
        publish=attempt.publish_ms,
        total=_ms(attempt.started_ns, time.time_ns()),
    )
