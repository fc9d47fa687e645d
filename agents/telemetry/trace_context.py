"""W3C Trace Context in Kafka record headers: the trace that an input continues, and that its outputs name.

https://www.w3.org/TR/trace-context/
"""

from collections.abc import Sequence
from typing import Final

from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Headers = Sequence[tuple[str, bytes | None]]
"""A Kafka record's headers: pairs, possibly repeated, possibly without a value."""


_TRACESTATE: Final = "tracestate"


class _LastHeader(Getter[Headers]):
    """Reads header pairs where the propagator expects a mapping: the last of equal names, as text.

    Names are compared without regard to case: some producers write ``Traceparent``. Several ``tracestate`` headers are
    one list, in their order.
    """

    def get(self, carrier: Headers, key: str) -> list[str] | None:
        if key == _TRACESTATE:
            states = [value for name, value in carrier if value is not None and name.lower() == key]
            return [value.decode("ascii") for value in states if value.isascii()] or None
        for name, value in reversed(carrier):
            if value is not None and (name == key or name.lower() == key):
                return [value.decode("ascii")] if value.isascii() else None
        return None

    def keys(self, carrier: Headers) -> list[str]:
        return [name for name, _ in carrier]


_PROPAGATOR = TraceContextTextMapPropagator()
_LAST_HEADER = _LastHeader()
_IDS = RandomIdGenerator()


def extract(headers: Headers) -> Context:
    """The context that `headers` carry; empty without a `traceparent`, or with a broken one. Never raises."""
    return _PROPAGATOR.extract(headers, Context(), _LAST_HEADER)


def inject(context: Context) -> list[tuple[str, bytes]]:
    """The headers that carry `context`: `traceparent`, and `tracestate` if there is one."""
    place = get_current_span(context).get_span_context()
    if not place.is_valid:
        return []
    headers = [("traceparent", traceparent(place))]
    if place.trace_state:
        headers.append((_TRACESTATE, place.trace_state.to_header().encode("ascii")))
    return headers


def traceparent(place: SpanContext) -> bytes:
    """The header that names a span."""
    return b"00-%032x-%016x-%02x" % (place.trace_id, place.span_id, place.trace_flags)


def new_root(*, sampled: bool) -> Context:
    """A new trace. Unless `sampled`, it asks every service not to record it."""
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    root = SpanContext(_IDS.generate_trace_id(), _IDS.generate_span_id(), is_remote=False, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(root), Context())


def trace_id_of(context: Context) -> str:
    """The trace id of `context`: 32 hexadecimal digits."""
    return format_trace_id(get_current_span(context).get_span_context().trace_id)
