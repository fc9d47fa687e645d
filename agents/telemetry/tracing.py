"""Which events are traced. It is decided when an event ends: all of its spans are exported, or none.

    exported, always   its producer sampled it; or it is a dead letter, failed, was blocked, went to review, was decided
                       without the model, or took longer than a set time
    dropped, always    its producer has a trace and does not sample it
    else               exported by its trace id, for a set share of the traces that begin here

An event that is dropped costs no span. What an event publishes says whether it is sampled, as far as is known by then:
if it turns out slow after that, it is exported all the same, and only the spans of its consumers are missing.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry import context as context_api
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, get_current_span

from sluicegate.agents.telemetry.batch_spans import BatchSpans
from sluicegate.agents.telemetry.event_span import EventSpan
from sluicegate.agents.telemetry.span_export import SpanExport, new_id

_64_BITS: Final = 2**64
_RANDOM_TRACE_ID: Final = 2
"""The flag of level 2 of W3C Trace Context: consumers may sample by the trace id."""


class Tracing:
    """Begins and ends the spans of events, on one event loop."""

    def __init__(self, export: SpanExport | None, *, sample_ratio: float = 0.0, slow_after_ms: float = 0.0) -> None:
        """Without `export` no event is sampled. `slow_after_ms` is 0 if no event counts as slow."""
        self._export = export
        self._sampled_below = round(sample_ratio * _64_BITS)
        self._slow_after_ns = slow_after_ms * 1e6 or math.inf
        self.batches = BatchSpans(export)

    @contextmanager
    def span(self, name: str, kind: SpanKind, topic: str, parent: Context) -> Iterator[EventSpan]:
        """The span of one event, in the block; `parent` is empty if its trace begins here.

        Log lines written inside have its trace id, also those of tasks that are started inside. An exception that
        passes through marks it with the exception's class, not with its message, which may quote the query.
        """
        event = self._begin(name, kind, topic, parent)
        token = context_api.attach(event.context)
        try:
            yield event
        except BaseException as error:
            event.fail(type(error).__name__)
            raise
        finally:
            context_api.detach(token)
            self._end(event)

    def _begin(self, name: str, kind: SpanKind, topic: str, parent: Context) -> EventSpan:
        above = get_current_span(parent).get_span_context()
        if above.is_valid and not (self._export and above.trace_flags.sampled):
            return EventSpan(name, kind, topic, parent, above, recording=False, kept=False)
        trace_id, flags = above.trace_id, above.trace_flags
        sampled = above.is_valid
        if not above.is_valid:
            trace_id, flags = new_id(128), TraceFlags(_RANDOM_TRACE_ID if self._export else TraceFlags.DEFAULT)
            sampled = trace_id % _64_BITS < self._sampled_below
        place = SpanContext(trace_id, new_id(64), False, flags, above.trace_state)
        if not self._export:
            return EventSpan(name, kind, topic, parent, place, recording=False, kept=False)
        event = EventSpan(
            name, kind, topic, parent, place, recording=True, kept=sampled, slow_after_ns=self._slow_after_ns
        )
        self.batches.begin(event)
        return event

    def _end(self, event: EventSpan) -> None:
        if not (self._export and event.recording):
            return
        event.end()
        if event.kept:
            self._export.event(event)
        self.batches.end(event)
