"""The telemetry that docker-compose.yml sets up, with the real collector, Jaeger and Prometheus, without containers."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from typer.testing import CliRunner

from sluicegate.agents.cli.app import app
from sluicegate.agents.cli.trace_spans import spans_of
from tests.support.brokers import Broker, TopicMaker
from tests.support.prometheus import require_prometheus
from tests.support.replays import on_one_kind
from tests.support.telemetry_stack import TelemetryStack, telemetry_stack
from tests.support.telemetry_tools import require_telemetry_tools
from tests.support.worker_process import Stream, make_stream, run_worker, wait_for

pytestmark = [on_one_kind, pytest.mark.xdist_group("telemetry stack")]

STAGES = {"normalise", "queue", "model", "validate", "publish"}


@pytest.fixture
def stack(broker: Broker, tmp_path: Path) -> Iterator[TelemetryStack]:
    require_telemetry_tools()
    require_prometheus()
    with telemetry_stack({"kafka:9092": broker.bootstrap_servers}, tmp_path) as running:
        yield running


class Service:
    """A service beside the worker, which has OpenTelemetry's SDK."""

    def __init__(self, name: str, endpoint: str) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": name}))
        self._provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
        self._tracer = self._provider.get_tracer("test")

    def work(self, name: str, kind: SpanKind, traceparent: str | None = None) -> str:
        """Export one span, and return its own traceparent."""
        parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent} if traceparent else {})
        own: dict[str, str] = {}
        with self._tracer.start_as_current_span(name, parent, kind):
            TraceContextTextMapPropagator().inject(own)
        return own["traceparent"]


def test_one_event_is_one_trace_without_an_orphan_and_its_metrics_are_scraped(
    stack: TelemetryStack, broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics)
    environment = stack.compose.environment("worker")
    assert environment == {
        "SLUICE_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "OTEL_EXPORTER_OTLP_ENDPOINT": stack.otlp_endpoint,
        "SLUICE_TRACES_URL": stack.jaeger_url,
    }
    asks = Service("storefront", stack.otlp_endpoint).work("send queries.raw", SpanKind.PRODUCER)
    query = orjson.dumps({"query": "red running shoes", "event_id": "order-4711"})
    stream.produce([(None, query, [("traceparent", asks.encode())])])
    with run_worker(stream, tmp_path, otlp_endpoint=environment["OTEL_EXPORTER_OTLP_ENDPOINT"]) as worker:
        stream.await_commits()
        [recall] = [output for output in stream.outputs() if output.name == "recall"]
        traceparent = (recall.headers["traceparent"] or b"").decode()
        Service("index", stack.otlp_endpoint).work("process queries.recall", SpanKind.CONSUMER, traceparent)
        worker.stop()  # which sends what is left

    names = {"send queries.raw", f"process {stream.topics['raw']}", "process queries.recall", *STAGES}
    trace_id = asks.split("-")[1]
    wait_for(lambda: len(spans_of(stack.jaeger_url, [trace_id])[0].spans) >= len(names), 30, "no whole trace in Jaeger")
    [trace] = spans_of(stack.jaeger_url, [trace_id])
    assert sorted(span.name for span in trace.spans) == sorted(names)
    ids = {span.span_id for span in trace.spans}
    assert [span.name for span in trace.spans if span.parent_id not in ids] == ["send queries.raw"]
    assert {span.service for span in trace.spans} == {"storefront", "sluicegate", "index"}

    shown = show_trace(stream, environment["SLUICE_TRACES_URL"])
    for part in ("Allowed: ", "send queries.raw", "storefront", "process queries.recall", "index"):
        assert part in shown, shown

    wait_for(lambda: bool(stack.prometheus.query("sluicegate_verdicts_total")), 60, "Prometheus has no metric of ours")
    [verdicts] = stack.prometheus.query('sluicegate_verdicts_total{job="sluicegate"}')
    assert (verdicts.value, verdicts.labels["sluicegate_verdict"]) == (1, "allow")
    assert [sample.value for sample in stack.prometheus.query("up")] == [1]
    assert not stack.prometheus.firing()


def show_trace(stream: Stream, url: str) -> str:
    """What `sluice trace` shows of the event."""
    environment = {**stream.environment, "COLUMNS": "100", "SLUICE_TRACES_URL": url}
    done = CliRunner().invoke(app, ["trace", "order-4711"], env=environment)
    assert done.exit_code == 0, done.exception
    return done.stdout
