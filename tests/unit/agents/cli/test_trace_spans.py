"""The spans of a trace, from the APIs of Jaeger and Tempo."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from sluicegate.agents.cli.trace_spans import parse_trace, spans_of
from tests.support.ports import free_port

TRACE, ROOT, CHILD = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "b7ad6b7169203331"
JAEGER = {
    "data": [
        {
            "traceID": TRACE,
            "spans": [
                {
                    "traceID": TRACE,
                    "spanID": CHILD,
                    "operationName": "publish",
                    "references": [{"refType": "CHILD_OF", "traceID": TRACE, "spanID": ROOT}],
                    "startTime": 1_000_002,
                    "duration": 5,
                    "tags": [
                        {"key": "span.kind", "type": "string", "value": "producer"},
                        {"key": "error", "type": "bool", "value": True},
                        {"key": "messaging.kafka.offset", "type": "int64", "value": 7},
                    ],
                    "logs": [],
                    "processID": "p1",
                    "warnings": None,
                }
            ]
            * 2,
            "processes": {"p1": {"serviceName": "sluicegate", "tags": []}},
        }
    ],
    "total": 0,
    "errors": None,
}
TEMPO = {
    "batches": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "sluicegate"}}]},
            "scopeSpans": [
                {
                    "scope": {"name": "sluicegate"},
                    "spans": [
                        {
                            "traceId": "S/kvNXezTaajzpKdDg5HNg==",
                            "spanId": "t61rcWkgMzE=",
                            "parentSpanId": ROOT,
                            "name": "publish",
                            "kind": "SPAN_KIND_PRODUCER",
                            "startTimeUnixNano": "1000002000",
                            "endTimeUnixNano": "1000007000",
                            "attributes": [{"key": "messaging.kafka.offset", "value": {"intValue": "7"}}],
                            "status": {"code": "STATUS_CODE_ERROR"},
                        }
                    ],
                }
            ],
        }
    ]
}


@pytest.mark.parametrize("answer", [JAEGER, TEMPO], ids=["Jaeger", "Tempo"])
def test_a_trace_of_either_is_read_the_same(answer: object) -> None:
    [span] = parse_trace(orjson.dumps(answer))
    assert (span.trace_id, span.span_id, span.parent_id) == (TRACE, CHILD, ROOT)
    assert (span.name, span.kind, span.service, span.failed) == ("publish", "producer", "sluicegate", True)
    assert (span.start_ns, span.end_ns) == (1_000_002_000, 1_000_007_000)
    assert span.attributes == {"messaging.kafka.offset": 7}


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server that gives every request one answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the inherited name
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (404, b"{}", "no such trace: it was not sampled"),
        (500, b"", "status 500"),
        (200, b"<html>", "not that of Jaeger or Tempo"),
        (200, b'{"status": "success"}', "not that of Jaeger or Tempo"),
        (200, b'{"data": []}', "no spans"),
    ],
)
def test_what_keeps_a_trace_from_being_shown_is_said(status: int, body: bytes, problem: str) -> None:
    with answering(status, body) as url:
        [trace] = spans_of(url, [TRACE])
    assert problem in (trace.problem or "")


def test_an_api_that_is_down_is_no_error_and_without_a_url_nothing_is_asked() -> None:
    [trace] = spans_of(f"http://127.0.0.1:{free_port()}", [TRACE])
    assert "cannot be read: ConnectError" in (trace.problem or "")
    assert spans_of(None, [TRACE]) == []
