"""Traces and metrics of HTTP requests. `Telemetry` has one `RequestTelemetry`.

    client's span
    └── POST /v1/gate                  SERVER, from the request's traceparent
        └── normalise, queue, model    as for an event from Kafka: `Telemetry.record_stage`, `record_model`

Names: OpenTelemetry's HTTP conventions, https://opentelemetry.io/docs/specs/semconv/http/
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from sluicegate.agents.telemetry import semconv
from sluicegate.agents.telemetry.event_span import EventSpan
from sluicegate.agents.telemetry.instruments import Instruments
from sluicegate.agents.telemetry.tracing import Tracing

_SERVER_ERROR = 500


class RequestTelemetry:
    """Spans and metrics of requests."""

    def __init__(self, tracing: Tracing, instruments: Instruments) -> None:
        self._tracing = tracing
        self._instruments = instruments

    @contextmanager
    def span(self, parent: Context, *, method: str, route: str) -> Iterator[EventSpan]:
        """One request, from its head to its answer. `parent` is from `Telemetry.extract`."""
        with self._tracing.span(f"{method} {route}", SpanKind.SERVER, route, parent) as request:
            if request.recording:
                request.attributes |= {semconv.HTTP_REQUEST_METHOD: method, semconv.HTTP_ROUTE: route}
            yield request

    def record(self, request: EventSpan, *, method: str, status: int, duration_s: float, error: str | None) -> None:
        """Report that the request was answered with `status`; `error` is the code of the answer, if it is an error."""
        measured: dict[str, AttributeValue] = {
            semconv.HTTP_REQUEST_METHOD: method,
            semconv.HTTP_ROUTE: request.topic,
            semconv.HTTP_RESPONSE_STATUS_CODE: status,
        }
        if error is not None:
            measured[semconv.ERROR_TYPE] = error
        self._instruments.request_duration.record(duration_s, measured)
        if request.recording:
            request.attributes[semconv.HTTP_RESPONSE_STATUS_CODE] = status
            if error is not None:
                request.attributes[semconv.ERROR_TYPE] = error
            if status >= _SERVER_ERROR:
                request.fail(error or str(status))

    def name_decision(self, request: EventSpan, *, event_id: str, verdict: str) -> None:
        """Name the one decision of a request on its span. A request that makes several names none."""
        if request.recording:
            request.attributes |= {semconv.EVENT_ID: event_id, semconv.VERDICT: verdict}

    def record_chat(self, served_by: str) -> None:
        """Count one chat behind the gate."""
        self._instruments.chats.add(served_by)

    def record_upstream(self, failure: str, duration_s: float) -> None:
        """Report one attempt to ask the upstream chat API; `failure` is "none" for an answer."""
        self._instruments.upstream_duration.record(duration_s, {semconv.ERROR_TYPE: failure})

    def record_upstream_json(self, outcome: str) -> None:
        """Count one answer of the upstream chat API that had to follow a schema."""
        self._instruments.upstream_json.add(outcome)

    def record_decision(self, *, verdict: str, category: str | None, answered_by: str, degraded: str | None) -> None:
        """Count one decision, as those about events are counted. A batch makes several in one request."""
        self._instruments.verdicts.add(verdict, category or "none")
        self._instruments.answers.add(answered_by)
        if degraded is not None:
            self._instruments.degraded.add(degraded)
