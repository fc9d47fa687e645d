"""Makes OpenTelemetry spans of what has ended, with ids that were chosen when it began.

The SDK's tracer would choose the ids itself, and it takes most of the time of an exported event: it begins each span,
asks a sampler, and copies the attributes under a lock. What has ended needs none of that, so the spans are made here
and handed to the SDK's processor, which batches and sends them.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
)
from opentelemetry.util.types import AttributeValue

from sluicegate.agents.telemetry import semconv
from sluicegate.agents.telemetry.event_span import EventSpan

_UNSET: Final = Status(StatusCode.UNSET)
_ERROR: Final = Status(StatusCode.ERROR)


class SpanExport:
    """Exports events and batches, from any thread."""

    def __init__(self, processor: SpanProcessor, resource: Resource, scope: InstrumentationScope) -> None:
        self._processor = processor
        self._resource = resource
        self._scope = scope

    def event(self, event: EventSpan) -> None:
        """Export the span of `event` and those of its stages."""
        place = event.place
        for stage in event.stages:
            self._end(
                stage.name,
                SpanContext(place.trace_id, stage.span_id or new_id(64), False, place.trace_flags, place.trace_state),
                place,
                stage.kind,
                stage.start_ns,
                stage.end_ns,
                stage.attributes or {},
                failed=stage.failed,
            )
        above = get_current_span(event.parent).get_span_context()
        self._end(
            event.name,
            place,
            above if above.is_valid else None,
            event.kind,
            event.started_ns,
            event.ended_ns,
            event.attributes,
            failed=event.failed,
        )

    def batch(
        self, members: Sequence[SpanContext], start_ns: int, end_ns: int, attributes: Mapping[str, AttributeValue]
    ) -> None:
        """Export a batch: a trace of its own, with a link to each of `members`."""
        place = SpanContext(new_id(128), new_id(64), False, TraceFlags(TraceFlags.SAMPLED))
        links = [Link(member) for member in members]
        self._end(semconv.SPAN_BATCH, place, None, SpanKind.INTERNAL, start_ns, end_ns, attributes, links=links)

    def _end(
        self,
        name: str,
        place: SpanContext,
        above: SpanContext | None,
        kind: SpanKind,
        start_ns: int,
        end_ns: int,
        attributes: Mapping[str, AttributeValue],
        *,
        failed: bool = False,
        links: Sequence[Link] = (),
    ) -> None:
        self._processor.on_end(
            ReadableSpan(
                name,
                place,
                above,
                self._resource,
                attributes,
                links=links,
                kind=kind,
                status=_ERROR if failed else _UNSET,
                start_time=start_ns,
                end_time=max(start_ns, end_ns),
                instrumentation_scope=self._scope,
            )
        )


def new_id(bits: int) -> int:
    """A random id that is not 0."""
    return random.getrandbits(bits) or new_id(bits)
