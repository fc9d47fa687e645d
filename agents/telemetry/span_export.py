"""Makes OpenTelemetry spans of what has ended, with ids that were chosen when it began."""

import random
from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode
from opentelemetry.util.types import AttributeValue

from sluicegate.agents.telemetry import semconv
from sluicegate.agents.telemetry.event_span import EventSpan

Scope = tuple[str, str, str]
"""Name, version and schema URL of the instrumentation."""


class ChosenIds(IdGenerator):
    """Gives the next span the ids that are set. Used on one thread."""

    trace_id = 0
    span_id = 0

    def generate_span_id(self) -> int:
        """The id that was chosen for the span."""
        return self.span_id

    def generate_trace_id(self) -> int:
        """The id that was chosen for the trace."""
        return self.trace_id


class SpanExport:
    """Exports events on one event loop, and batches from any thread."""

    def __init__(self, events: TracerProvider, ids: ChosenIds, batches: TracerProvider, scope: Scope) -> None:
        """`events` takes its ids from `ids`."""
        self._ids: Final = ids
        self._events = events.get_tracer(*scope)
        self._batches = batches.get_tracer(*scope)

    def event(self, event: EventSpan) -> None:
        """Export the span of `event` and those of its stages."""
        place, context = event.place, event.context
        self._ids.trace_id, self._ids.span_id = place.trace_id, place.span_id
        span = self._events.start_span(
            event.name, event.parent, event.kind, event.attributes, start_time=event.started_ns
        )
        if event.failed:
            span.set_status(StatusCode.ERROR)
        for stage in event.stages:
            self._ids.span_id = stage.span_id or new_id(64)
            below = self._events.start_span(
                stage.name, context, stage.kind, stage.attributes, start_time=stage.start_ns
            )
            if stage.failed:
                below.set_status(StatusCode.ERROR)
            below.end(max(stage.start_ns, stage.end_ns))
        span.end(event.ended_ns)

    def batch(
        self, members: Sequence[SpanContext], start_ns: int, end_ns: int, attributes: Mapping[str, AttributeValue]
    ) -> None:
        """Export a batch: a trace of its own, with a link to each of `members`."""
        self._batches.start_span(
            semconv.SPAN_BATCH,
            Context(),
            SpanKind.INTERNAL,
            attributes,
            [Link(member) for member in members],
            start_ns,
        ).end(max(start_ns, end_ns))


def new_id(bits: int) -> int:
    """A random id that is not 0."""
    return random.getrandbits(bits) or new_id(bits)
