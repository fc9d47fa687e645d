"""Spans of the Python API under the span that is current in the caller, from the caller's own tracer provider.

    the caller's span
    └── sluicegate.decide       verdict, category, reason codes, model
        ├── normalise
        ├── queue
        ├── model               with gen_ai.* attributes
        └── second              the second model, if it was asked

Nothing is configured here. Without a recording span in the caller there are no spans.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Final
from uuid import uuid4

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer
    from opentelemetry.util.types import AttributeValue

    from sluicegate.agents.deciding.decision import Decision

SPAN_DECIDE: Final = "sluicegate.decide"


class CallerSpan:
    """The caller's place in its trace: where the trace id of an audit record comes from."""

    __slots__ = ("_span", "headers", "trace_id")

    def __init__(self, span: "Span | None") -> None:
        self._span = span
        self.trace_id: str
        """32 hexadecimal digits: of the caller's trace, or of a new one."""
        self.headers: tuple[tuple[str, bytes | None], ...] = ()
        """`traceparent`, if the caller has a trace."""
        if span is None:
            self.trace_id = uuid4().hex
            return
        place = span.get_span_context()
        self.trace_id = f"{place.trace_id:032x}"
        traceparent = f"00-{self.trace_id}-{place.span_id:016x}-{place.trace_flags:02x}"
        self.headers = (("traceparent", traceparent.encode()),)

    def record(self, decision: "Decision", *, event_id: str, model: str) -> None:
        """Report `decision`, with one child for each of its stages. No text of the query."""
        if self._span is None or not self._span.is_recording():
            return
        from opentelemetry.trace import set_span_in_context

        from sluicegate.agents.telemetry import semconv

        policy_result = decision.model_result.policy_result
        attributes: dict[str, AttributeValue] = {
            semconv.EVENT_ID: event_id,
            semconv.VERDICT: policy_result.verdict,
            semconv.REASON_CODES: tuple(map(str, decision.reason_codes)),
            semconv.ANSWERED_BY: decision.answered_by,
            semconv.GEN_AI_REQUEST_MODEL: model,
        }
        if policy_result.category:
            attributes[semconv.CATEGORY] = policy_result.category
        if decision.degraded:
            attributes[semconv.DEGRADED] = decision.degraded
        self._span.set_attributes(attributes)
        context = set_span_in_context(self._span)

        def add_stage(
            name: str, started_ns: int, ended_ns: int, about: "Mapping[str, AttributeValue] | None" = None
        ) -> None:
            stage = _tracer().start_span(name, context, attributes=about, start_time=started_ns)
            stage.end(max(started_ns, ended_ns))

        add_stage("normalise", decision.normalise_started_ns, decision.normalise_ended_ns)
        if batched := decision.batched:
            add_stage("queue", batched.queued_ns, batched.started_ns)
            about: dict[str, AttributeValue] = {
                semconv.GEN_AI_OPERATION_NAME: semconv.GEN_AI_OPERATION_CHAT,
                semconv.GEN_AI_PROVIDER_NAME: semconv.GEN_AI_PROVIDER_CTRANSLATE2,
                semconv.GEN_AI_REQUEST_MODEL: model,
                semconv.GEN_AI_RESPONSE_MODEL: model,
                semconv.GEN_AI_USAGE_INPUT_TOKENS: decision.tokens.input,
                semconv.GEN_AI_USAGE_OUTPUT_TOKENS: decision.tokens.output,
            }
            add_stage("model", batched.started_ns, batched.ended_ns, about)
        if second := decision.second:
            from sluicegate.agents.deciding.second_report import asked_of

            add_stage(semconv.SPAN_SECOND, second.started_ns, second.ended_ns, asked_of(second).attributes)


@contextmanager
def caller_span() -> Iterator[CallerSpan]:
    """A span for one decision, if the caller is in one that records. An exception marks it with its class alone."""
    current = _current_span()
    if current is None or not current.is_recording():
        yield CallerSpan(current)
        return
    from opentelemetry.trace import StatusCode

    from sluicegate.agents.telemetry import semconv

    span = _tracer().start_span(SPAN_DECIDE)
    try:
        yield CallerSpan(span)
    except BaseException as error:
        span.set_attribute(semconv.ERROR_TYPE, type(error).__name__)
        span.set_status(StatusCode.ERROR)
        raise
    finally:
        span.end()


def _current_span() -> "Span | None":
    """The caller's span; None if it has none. Nothing is imported for that: a caller with a span has imported it."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    span: Span = trace.get_current_span()
    return span if span.get_span_context().is_valid else None


@cache
def _tracer() -> "Tracer":
    from opentelemetry.trace import get_tracer

    from sluicegate.schemas.version import VERSION

    return get_tracer("sluicegate", VERSION)
