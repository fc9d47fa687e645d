"""A small OTLP/HTTP receiver in this process, to show traces without a collector.

`sluice up` draws a trace from it, and tests use it to receive from the real exporter. It listens on the loopback
address, keeps the newest spans and data points in memory, and drops the oldest. Protocol:
https://opentelemetry.io/docs/specs/otlp/#otlphttp (binary protobuf, optionally gzip; no JSON).
"""

from __future__ import annotations

import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

# Protobuf has no types: everything parsed below is converted to the typed records here.
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

_MAX_BODY = 16 * 1024 * 1024
_MAX_KEPT = 50_000
_SOCKET_TIMEOUT_S = 10.0
_POLL_S = 0.1  # the longest that `close` waits
_GZIP = 16 + zlib.MAX_WBITS

Scalar = str | bool | int | float
Value = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A received span. Ids are hexadecimal, times are nanoseconds since the epoch, `parent_id` is None for a root."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: str
    service: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Value]
    links: tuple[tuple[str, str], ...]
    """(trace id, span id) pairs."""
    failed: bool


@dataclass(frozen=True, slots=True)
class ReceivedPoint:
    """A received data point of a metric. `value` is a gauge's value or a sum; a histogram also has a `count`."""

    name: str
    unit: str
    attributes: Mapping[str, Value]
    value: float
    count: int | None


class OtlpReceiver:
    """Receives from its creation until `close` or the end of the `with` block. All methods are thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._spans: deque[ReceivedSpan] = deque(maxlen=_MAX_KEPT)
        self._points: deque[ReceivedPoint] = deque(maxlen=_MAX_KEPT)
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="otlp-receiver", daemon=True
        )
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """The base URL for an exporter."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def spans(self, trace_id: str | None = None) -> list[ReceivedSpan]:
        """The spans of one trace, or all spans, in order of arrival."""
        with self._changed:
            return [span for span in self._spans if trace_id in (None, span.trace_id)]

    def points(self, name: str) -> list[ReceivedPoint]:
        """A metric's data points in order of arrival. Each export repeats the totals so far."""
        with self._changed:
            return [point for point in self._points if point.name == name]

    def wait_for(self, predicate: Callable[[Self], bool], timeout_s: float) -> bool:
        """Wait until `predicate` is true; it is checked whenever something arrives. False after `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: predicate(self), timeout_s)

    def add(self, spans: Iterable[ReceivedSpan] = (), points: Iterable[ReceivedPoint] = ()) -> None:
        with self._changed:
            self._spans.extend(spans)
            self._points.extend(points)
            self._changed.notify_all()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, receiver: OtlpReceiver) -> None:
        self.receiver = receiver
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SOCKET_TIMEOUT_S

    def do_POST(self) -> None:
        self._answer(self._receive())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the inherited name
        """Log nothing: the exporter sees the status of the answer, and no one reads an access log here."""

    def _receive(self) -> HTTPStatus:
        if self.path not in ("/v1/traces", "/v1/metrics"):
            return HTTPStatus.NOT_FOUND
        if self.headers.get_content_type() != "application/x-protobuf":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            return HTTPStatus.LENGTH_REQUIRED
        if not 0 <= length <= _MAX_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        body = self.rfile.read(length)
        encoding = self.headers.get("Content-Encoding", "identity")
        if encoding not in ("identity", "gzip"):
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        try:
            if encoding == "gzip":
                body = zlib.decompressobj(_GZIP).decompress(body, _MAX_BODY + 1)
                if len(body) > _MAX_BODY:
                    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            if self.path == "/v1/traces":
                self.server.receiver.add(spans=_read_spans(ExportTraceServiceRequest.FromString(body)))
            else:
                self.server.receiver.add(points=_read_points(ExportMetricsServiceRequest.FromString(body)))
        except (zlib.error, DecodeError):
            return HTTPStatus.BAD_REQUEST
        return HTTPStatus.OK

    def _answer(self, status: HTTPStatus) -> None:
        # An empty body is a valid, empty Export…ServiceResponse message.
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()


def _read_spans(request: ExportTraceServiceRequest) -> Iterator[ReceivedSpan]:
    for resource_spans in request.resource_spans:
        service = str(_read_attributes(resource_spans.resource.attributes).get("service.name", ""))
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield ReceivedSpan(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex() or None,
                    name=span.name,
                    kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    service=service,
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    attributes=_read_attributes(span.attributes),
                    links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
                    failed=span.status.code == Status.STATUS_CODE_ERROR,
                )


def _read_points(request: ExportMetricsServiceRequest) -> Iterator[ReceivedPoint]:
    for resource_metrics in request.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                yield from _read_metric(metric)


def _read_metric(metric: Metric) -> Iterator[ReceivedPoint]:
    for point in metric.histogram.data_points:
        yield ReceivedPoint(metric.name, metric.unit, _read_attributes(point.attributes), point.sum, point.count)
    for number in (*metric.gauge.data_points, *metric.sum.data_points):
        value = number.as_double if number.HasField("as_double") else number.as_int
        yield ReceivedPoint(metric.name, metric.unit, _read_attributes(number.attributes), float(value), None)


def _read_attributes(pairs: Iterable[KeyValue]) -> dict[str, Value]:
    return {pair.key: _read_value(pair.value) for pair in pairs}


def _read_value(value: AnyValue) -> Value:
    if value.HasField("array_value"):
        return tuple(_read_scalar(item) for item in value.array_value.values)
    return _read_scalar(value)


def _read_scalar(value: AnyValue) -> Scalar:
    """A scalar unchanged; bytes, nested lists and maps, which no sender here uses, as text."""
    match value.WhichOneof("value"):
        case "string_value":
            return str(value.string_value)
        case "bool_value":
            return bool(value.bool_value)
        case "int_value":
            return int(value.int_value)
        case "double_value":
            return float(value.double_value)
        case _:
            return str(value).strip()
