"""The place of an event, or of an HTTP request, in its trace, and its spans until it has ended."""

import math
import time
from collections.abc import Mapping

import msgspec
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    format_trace_id,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from sluicegate.agents.telemetry import semconv
from sluicegate.agents.telemetry.trace_context import traceparent


class StageSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A span below that of an event. It has ended; its times are `time.time_ns()`."""

    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, AttributeValue] | None = None
    kind: SpanKind = SpanKind.INTERNAL
    failed: bool = False
    span_id: int | None = None
    """Set if something that was published refers to it."""


class EventSpan:
    """The span of an event. It and its stages are held here until it ends: then all are exported, or none.

    Made by `Tracing`, and used on one event loop. `topic` is the input topic of an event, and the route of an HTTP
    request.
    """

    def __init__(
        self,
        name: str,
        kind: SpanKind,
        topic: str,
        parent: Context,
        place: SpanContext,
        *,
        recording: bool,
        kept: bool,
        slow_after_ns: float = math.inf,
    ) -> None:
        self.name = name
        self.kind = kind
        self.topic = topic
        self.parent = parent
        self.recording = recording
        """Whether its spans may be exported. If not, it needs no attributes."""
        self.attributes: dict[str, AttributeValue] = {}
        self.stages: list[StageSpan] = []
        self.failed = False
        self.started_ns = time.time_ns()
        self.ended_ns = 0
        self._place = place
        self._kept = kept
        self._slow_ns = time.monotonic_ns() + slow_after_ns

    def keep(self) -> None:
        """Export its spans, whatever the sampling ratio says."""
        self._kept = self.recording

    @property
    def kept(self) -> bool:
        """Whether its spans will be exported, as far as is known by now. Once it is true, it stays true."""
        if self.recording and not self._kept:
            self._kept = time.monotonic_ns() >= self._slow_ns
        return self._kept

    def fail(self, error_type: str) -> None:
        """Mark it as failed, and keep it."""
        if self.recording:
            self.attributes[semconv.ERROR_TYPE] = error_type
            self.failed = True
            self.keep()

    def end(self) -> None:
        """It is over; `kept` does not change any more."""
        self.ended_ns = max(self.started_ns, time.time_ns())
        self._kept, self._slow_ns = self.kept, math.inf

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits, by which the ledger refers to the trace. Set whether or not telemetry is on."""
        return format_trace_id(self._place.trace_id)

    @property
    def place(self) -> SpanContext:
        """Its ids, and whether it is sampled, as far as is known by now."""
        return self._place_of(self._place.span_id)

    @property
    def context(self) -> Context:
        """The parent of what follows from the event as a whole, such as the reading of its ledger record."""
        return set_span_in_context(NonRecordingSpan(self.place), self.parent)

    def context_of(self, span_id: int) -> Context:
        """The parent of what follows from its stage with `span_id`."""
        return set_span_in_context(NonRecordingSpan(self._place_of(span_id)), self.parent)

    @property
    def traceparent(self) -> bytes:
        """The header that names this span, as W3C Trace Context has it."""
        return traceparent(self.place)

    def _place_of(self, span_id: int) -> SpanContext:
        place = self._place
        if not self.recording:
            return place
        flags = place.trace_flags | TraceFlags.SAMPLED if self.kept else place.trace_flags & ~TraceFlags.SAMPLED
        return SpanContext(place.trace_id, span_id, False, TraceFlags(flags), place.trace_state)
