"""What a `Telemetry` that is on exports with: the OpenTelemetry SDK, its OTLP/HTTP exporters and their threads."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from sluicegate.agents.telemetry import semconv
from sluicegate.agents.telemetry.histograms import Histograms, PeriodicReader
from sluicegate.agents.telemetry.span_export import SpanExport

log = logging.getLogger(__name__)

SERVICE: Final = "sluicegate"
"""The name of this service in traces and metrics."""

_SPAN_QUEUE = 8192  # about ten seconds of a worker that samples everything; beyond that, spans are dropped
_SPAN_DELAY_MS = 1000
_METRIC_INTERVAL_MS = 10_000
_EXPORT_TIMEOUT_S = 5.0


def resource_of(service_version: str, instance_id: str) -> Resource:
    """What the exported spans and metrics are about: this process."""
    return Resource.create(
        {
            semconv.SERVICE_NAME: SERVICE,
            semconv.SERVICE_VERSION: service_version,
            semconv.SERVICE_INSTANCE_ID: instance_id,
        }
    )


class OtlpExport:
    """Exports to one endpoint until `shutdown`. Nothing in it is global."""

    def __init__(
        self,
        endpoint: str,
        *,
        resource: Resource,
        scope: InstrumentationScope,
        histograms: Histograms,
        more_readers: Sequence[MetricReader] = (),
    ) -> None:
        """`histograms` are exported with the metrics. `more_readers` get the metrics too."""
        base = endpoint.rstrip("/")
        self._exporter = OTLPSpanExporter(f"{base}/v1/traces", timeout=_EXPORT_TIMEOUT_S)
        self._points = OTLPMetricExporter(f"{base}/v1/metrics", timeout=_EXPORT_TIMEOUT_S)
        self._processor = BatchSpanProcessor(self._exporter, _SPAN_QUEUE, _SPAN_DELAY_MS)
        reader = PeriodicReader(self._points, _METRIC_INTERVAL_MS, histograms)
        self.metrics = MeterProvider([reader, *more_readers], resource, shutdown_on_exit=False)
        self.spans = SpanExport(self._processor, resource, scope)

    def shutdown(self, timeout_s: float) -> None:
        """Send what is left, for at most about `timeout_s`, then drop the rest with a warning."""
        deadline = time.monotonic() + timeout_s
        # The processor's own shutdown takes no time-out and may wait for 30 s, so it gets a thread to wait in.
        traces = threading.Thread(target=self._processor.shutdown, name="telemetry-close-traces", daemon=True)
        metrics = threading.Thread(target=self.metrics.shutdown, name="telemetry-close-metrics", daemon=True)
        traces.start()
        metrics.start()
        traces.join(timeout_s)
        metrics.join(max(0.0, deadline - time.monotonic()))
        if traces.is_alive():
            log.warning("the last spans were not sent in %.1f s and are dropped: is the collector up?", timeout_s)
            # Ends its wait for the next attempt, and with it the thread. The SDK left it unannotated.
            self._exporter.shutdown()  # type: ignore[no-untyped-call]
        if metrics.is_alive():
            log.warning("the last metrics were not sent in %.1f s and are dropped: is the collector up?", timeout_s)
            self._points.shutdown()
