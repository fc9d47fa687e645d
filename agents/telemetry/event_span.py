"""The place of an event, or of an HTTP request, in its trace."""

import msgspec
from opentelemetry.context import Context
from opentelemetry.trace import Span, format_trace_id


class EventSpan(msgspec.Struct, frozen=True):
    """An event's place in its trace. `context` is the parent of its children and goes into its outputs' headers.

    `topic` is the input topic of an event, and the route of an HTTP request.
    """

    span: Span
    context: Context
    topic: str

    @property
    def recording(self) -> bool:
        """Whether the event is sampled. If it is not, it needs no attributes."""
        return self.span.is_recording()

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits, by which the ledger refers to the trace. Set whether or not telemetry is on."""
        return format_trace_id(self.span.get_span_context().trace_id)

    @property
    def traceparent(self) -> bytes:
        """The header that names this span, as W3C Trace Context has it."""
        context = self.span.get_span_context()
        return b"00-%032x-%016x-%02x" % (context.trace_id, context.span_id, context.trace_flags)
