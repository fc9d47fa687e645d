"""One trace and one set of measurements for every event, exported over OTLP. Nearly free when it is off.

    producer's span
    └── process queries.raw            CONSUMER, from the record's traceparent
        ├── normalise
        ├── queue                      the wait for a batch
        ├── model                      with gen_ai.* attributes  ◄── linked from the batch's own trace
        ├── second                     the second model, if it is asked
        ├── validate
        └── publish                    PRODUCER; its context goes into every output's headers
            └── a downstream consumer's span

There is one `Telemetry` per worker and nothing global: two of them in one process share nothing.

`tracing` decides which events are exported. The others have no spans, but their trace ids are in the ledger and in the
outputs all the same.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Literal, Self

import msgspec
from opentelemetry.context import Context
from opentelemetry.metrics import Meter, NoOpMeter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from sluicegate.agents.telemetry import semconv, trace_context
from sluicegate.agents.telemetry.event_span import EventSpan, StageSpan
from sluicegate.agents.telemetry.histograms import CreatesHistograms, Histograms
from sluicegate.agents.telemetry.instruments import Instruments, report_uptime
from sluicegate.agents.telemetry.levels import LevelGauges, WorkerLevels
from sluicegate.agents.telemetry.otlp_export import OtlpExport, resource_of
from sluicegate.agents.telemetry.prometheus import PrometheusPage
from sluicegate.agents.telemetry.recent import RecentOutcomes
from sluicegate.agents.telemetry.requests import RequestTelemetry
from sluicegate.agents.telemetry.reviews import ReviewTelemetry
from sluicegate.agents.telemetry.second_model import SecondTelemetry
from sluicegate.agents.telemetry.span_export import new_id
from sluicegate.agents.telemetry.trace_context import Headers
from sluicegate.agents.telemetry.tracing import Tracing

Stage = Literal["normalise", "queue", "model", "second.queue", "validate", "publish"]
"""An event's stages, in order. "model" and "publish" have methods of their own: `record_model`, `publish_span`."""

_SCOPE = "sluicegate"

_MEASURED: Mapping[str, Mapping[str, AttributeValue]] = {
    name: {semconv.STAGE: name} for name in ("queue", "publish", "second.queue")
}
"""Attributes of the stages of one event that have a metric. The others take microseconds: see the ledger and spans."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one event, for `Telemetry.record`. Reason codes and labels only: never a text from the query.

    A dead letter has an `error_type` and no `verdict`. `degraded` says why the model was not asked.
    """

    event_id: str
    duration_s: float
    verdict: str | None = None
    category: str | None = None
    intent: str | None = None
    policy_version: str | None = None
    reason_codes: Sequence[str] = ()
    answered_by: str | None = None
    degraded: str | None = None
    error_type: str | None = None


class Telemetry:
    """Spans and metrics of one worker. Made by `Telemetry.start`, ended by `shutdown`.

    Use it on one event loop; `record_batch` may be called from any thread. No method raises because of a collector, and
    only `shutdown` blocks. Times are `time.time_ns()`, so that a stage can be reported after it has ended.
    """

    def __init__(
        self,
        meter: Meter,
        tracing: Tracing,
        export: OtlpExport | None = None,
        histograms: CreatesHistograms | None = None,
    ) -> None:
        """`histograms` are those of `meter`, unless others are given."""
        self._tracing = tracing
        self._export = export
        self.meter: Final = meter
        """For metrics that others own."""
        self._instruments = Instruments(meter, histograms or meter)
        self._levels = LevelGauges(meter)
        self.recent: Final = RecentOutcomes()
        self.requests = RequestTelemetry(tracing, self._instruments)
        self.reviews = ReviewTelemetry(meter)
        self.second = SecondTelemetry(meter)

    @classmethod
    def start(
        cls,
        *,
        otlp_endpoint: str | None,
        sample_ratio: float,
        service_version: str,
        instance_id: str,
        slow_after_ms: float = 0.0,
        prometheus: PrometheusPage | None = None,
    ) -> Self:
        """Start exporting to `otlp_endpoint`, an OTLP/HTTP base URL such as "http://localhost:4318"; None means off.

        `sample_ratio`, from 0 to 1, is the share of traces to record among those that begin here, and `slow_after_ms`
        the time from which an event is always traced, 0 for never: see `tracing`. Nothing is connected yet: a collector
        that is down, or starts later, is not an error. `prometheus` shows the metrics too.
        """
        if otlp_endpoint is None and prometheus is None:
            return cls.off()
        resource = resource_of(service_version, instance_id)
        readers = [prometheus.reader] if prometheus else []
        histograms = prometheus.histograms if prometheus else Histograms()
        scope = InstrumentationScope(_SCOPE, service_version, semconv.SCHEMA_URL)
        if otlp_endpoint is None:
            meter = MeterProvider(readers, resource, shutdown_on_exit=False).get_meter(
                scope.name, scope.version, scope.schema_url
            )
            report_uptime(meter)
            return cls(meter, Tracing(None), None, histograms)
        export = OtlpExport(otlp_endpoint, resource=resource, scope=scope, histograms=histograms, more_readers=readers)
        tracing = Tracing(export.spans, sample_ratio=sample_ratio, slow_after_ms=slow_after_ms)
        meter = export.metrics.get_meter(scope.name, scope.version, scope.schema_url)
        report_uptime(meter)
        return cls(meter, tracing, export, histograms)

    @classmethod
    def off(cls) -> Self:
        """Telemetry that exports nothing."""
        return cls(NoOpMeter(_SCOPE), Tracing(None))

    def observe(self, *, queue_depth: Callable[[], int], events_in_flight: Callable[[], int]) -> None:
        """Report two levels from now on. Both callbacks run on the exporter's thread, so they must only read."""
        self._instruments.observe(queue_depth=queue_depth, events_in_flight=events_in_flight)

    def set_levels(self, levels: WorkerLevels) -> None:
        """Report `levels` from now on. Call it every few seconds: after 30 s the worker counts as not ready."""
        self._levels.set(levels)

    def extract(self, headers: Headers) -> Context:
        """The trace that a record's headers continue; empty if its trace begins here."""
        return trace_context.extract(headers)

    def inject(self, context: Context) -> list[tuple[str, bytes]]:
        """The `traceparent` (and `tracestate`, if any) headers that hand `context` to an output's consumer."""
        return trace_context.inject(context)

    @contextmanager
    def process_span(
        self, parent: Context, *, topic: str, partition: int, offset: int, group: str, body_size: int
    ) -> Iterator[EventSpan]:
        """The processing of one event, from taking it to its last acknowledgement. `parent` is from `extract`.

        See `Tracing.span`.
        """
        with self._tracing.span(f"{semconv.SPAN_PROCESS} {topic}", SpanKind.CONSUMER, topic, parent) as event:
            if event.recording:
                event.attributes |= {
                    semconv.MESSAGING_SYSTEM: semconv.MESSAGING_SYSTEM_KAFKA,
                    semconv.MESSAGING_OPERATION_NAME: "process",
                    semconv.MESSAGING_OPERATION_TYPE: semconv.MESSAGING_OPERATION_TYPE_PROCESS,
                    semconv.MESSAGING_DESTINATION_NAME: topic,
                    semconv.MESSAGING_DESTINATION_PARTITION_ID: str(partition),
                    semconv.MESSAGING_KAFKA_OFFSET: offset,
                    semconv.MESSAGING_CONSUMER_GROUP_NAME: group,
                    semconv.MESSAGING_MESSAGE_BODY_SIZE: body_size,
                }
            yield event

    def record_stage(self, event: EventSpan, stage: Stage, start_ns: int, end_ns: int) -> None:
        """Report a stage of an event that has ended: its duration if it has a metric, and a span below the event's."""
        if measured := _MEASURED.get(stage):
            self._instruments.stage_duration.record(_seconds(start_ns, end_ns), measured)
        if event.recording:
            event.stages.append(StageSpan(name=stage, start_ns=start_ns, end_ns=end_ns))

    def record_model(
        self, event: EventSpan, start_ns: int, end_ns: int, *, model: str, input_tokens: int, output_tokens: int
    ) -> None:
        """Report the model's work on an event: a span below the event's with `gen_ai.*` attributes.

        `model` is the compiled model's version. The times are those of the batch, which is one call and is measured
        as one by `record_batch`.
        """
        if event.recording:
            attributes = {
                **_model_attributes(model),
                semconv.GEN_AI_RESPONSE_MODEL: model,
                semconv.GEN_AI_USAGE_INPUT_TOKENS: input_tokens,
                semconv.GEN_AI_USAGE_OUTPUT_TOKENS: output_tokens,
            }
            # INTERNAL: the GenAI conventions allow it for a model in the same process.
            event.stages.append(StageSpan(name="model", start_ns=start_ns, end_ns=end_ns, attributes=attributes))

    @contextmanager
    def publish_span(self, event: EventSpan, topics: Sequence[str]) -> Iterator[Context]:
        """The publishing of all outputs of an event, from the first send to the last acknowledgement.

        Yields the context to `inject` into their headers, so that a downstream consumer's span is a child of this one.
        """
        start_ns, span_id, failed = time.time_ns(), new_id(64), ""
        try:
            yield event.context_of(span_id)
        except BaseException as error:
            failed = type(error).__name__
            raise
        finally:
            end_ns = time.time_ns()
            self._instruments.stage_duration.record(_seconds(start_ns, end_ns), _MEASURED["publish"])
            if event.recording:
                attributes: dict[str, AttributeValue] = {
                    semconv.MESSAGING_SYSTEM: semconv.MESSAGING_SYSTEM_KAFKA,
                    semconv.MESSAGING_OPERATION_NAME: "publish",
                    semconv.MESSAGING_OPERATION_TYPE: semconv.MESSAGING_OPERATION_TYPE_SEND,
                    semconv.MESSAGING_BATCH_MESSAGE_COUNT: len(topics),
                    semconv.TOPICS: tuple(topics),
                }
                if failed:
                    attributes[semconv.ERROR_TYPE] = failed
                event.stages.append(
                    StageSpan(
                        name=semconv.SPAN_PUBLISH,
                        span_id=span_id,
                        start_ns=start_ns,
                        end_ns=end_ns,
                        attributes=attributes,
                        kind=SpanKind.PRODUCER,
                        failed=bool(failed),
                    )
                )

    def record_batch(
        self,
        members: Sequence[EventSpan],
        start_ns: int,
        end_ns: int,
        *,
        model: str,
        input_tokens: int,
        output_tokens: int,
        second: bool = False,
    ) -> None:
        """Report one call of a model: its size, duration and tokens, and a trace with links to its members.

        `model` is on every metric, because a candidate in a shadow trial decides batches too. The stage of the
        `second` model has a name of its own. The trace is exported if any member is, whatever the ratio, so that an
        exported event always has its batch.
        """
        stage = "second.model" if second else "model"
        of_model = {semconv.GEN_AI_REQUEST_MODEL: model}
        self._instruments.batch_size.record(len(members), of_model)
        self._instruments.stage_duration.record(_seconds(start_ns, end_ns), {semconv.STAGE: stage, **of_model})
        for kind, tokens in (
            (semconv.GEN_AI_TOKEN_TYPE_INPUT, input_tokens),
            (semconv.GEN_AI_TOKEN_TYPE_OUTPUT, output_tokens),
        ):
            self._instruments.token_usage.record(tokens, {**_model_attributes(model), semconv.GEN_AI_TOKEN_TYPE: kind})
        attributes: dict[str, AttributeValue] = {semconv.BATCH_SIZE: len(members), semconv.GEN_AI_REQUEST_MODEL: model}
        self._tracing.batches.add(members, start_ns, end_ns, attributes)

    def record(self, event: EventSpan, outcome: Outcome) -> None:
        """Report the outcome of an event, once, inside its process span and after its last acknowledgement."""
        measured: dict[str, AttributeValue] = {
            semconv.MESSAGING_SYSTEM: semconv.MESSAGING_SYSTEM_KAFKA,
            semconv.MESSAGING_OPERATION_NAME: "process",
            semconv.MESSAGING_DESTINATION_NAME: event.topic,
        }
        if outcome.error_type is not None:
            measured[semconv.ERROR_TYPE] = outcome.error_type
            self._instruments.deadletters.add(outcome.error_type)
        if outcome.verdict is not None:
            self._instruments.verdicts.add(outcome.verdict, outcome.category or "none")
        if outcome.answered_by is not None:
            self._instruments.answers.add(outcome.answered_by)
        if outcome.degraded is not None:
            self._instruments.degraded.add(outcome.degraded)
        self._instruments.process_duration.record(outcome.duration_s, measured)
        if event.recording:
            event.attributes |= _span_attributes(outcome)
            if outcome.error_type is not None:
                event.fail(outcome.error_type)

    def record_duplicate(self, event: EventSpan, event_id: str) -> None:
        """Report, instead of `record`, that the event was decided before."""
        self._instruments.duplicates.add()
        if event.recording:
            event.attributes |= {semconv.EVENT_ID: event_id, semconv.DUPLICATE: True}

    def shutdown(self, timeout_s: float) -> None:
        """Send what is left and stop. Blocks for at most about `timeout_s`: call it off the event loop.

        What the collector has not accepted by then is dropped, with a warning.
        """
        if self._export:
            self._export.shutdown(timeout_s)


def _seconds(start_ns: int, end_ns: int) -> float:
    """A duration; zero if the wall clock was set back meanwhile."""
    return max(0, end_ns - start_ns) / 1e9


def _model_attributes(model: str) -> dict[str, AttributeValue]:
    return {
        semconv.GEN_AI_OPERATION_NAME: semconv.GEN_AI_OPERATION_CHAT,
        semconv.GEN_AI_PROVIDER_NAME: semconv.GEN_AI_PROVIDER_CTRANSLATE2,
        semconv.GEN_AI_REQUEST_MODEL: model,
    }


def _span_attributes(outcome: Outcome) -> dict[str, AttributeValue]:
    optional = {
        semconv.VERDICT: outcome.verdict,
        semconv.CATEGORY: outcome.category,
        semconv.INTENT: outcome.intent,
        semconv.POLICY_VERSION: outcome.policy_version,
        semconv.ANSWERED_BY: outcome.answered_by,
        semconv.DEGRADED: outcome.degraded,
    }
    return {
        semconv.EVENT_ID: outcome.event_id,
        semconv.REASON_CODES: tuple(outcome.reason_codes),
        **{name: value for name, value in optional.items() if value is not None},
    }
