"""Histograms that take a fraction of the time of the SDK's: 0.8 against 14 microseconds a measurement.

An event has about four measurements, so with the SDK's own they cost more than decoding it. Only recording is ours. The
readers below give the points to the SDK's exporters among the metrics that it has collected.
"""

import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any, Final, Protocol

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import export
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    Metric,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.util.types import AttributeValue
from prometheus_client import CollectorRegistry


class RecordsValues(Protocol):
    """A histogram: `Histogram` below, or one of the SDK."""

    def record(self, amount: float, attributes: Mapping[str, AttributeValue] | None = None) -> None:
        """Count one measurement. `attributes` come in the same order each time."""


class CreatesHistograms(Protocol):
    """A meter, or `Histograms`."""

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> RecordsValues:
        """A new histogram, with the upper limits of its buckets."""


class _Point:
    """What was measured with one set of attributes."""

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.sum = 0.0
        self.min = float("inf")
        self.max = float("-inf")


class Histogram:
    """Counts measurements by bucket. Any thread may record."""

    def __init__(self, name: str, unit: str, description: str, bounds: Sequence[float]) -> None:
        self._name, self._unit, self._description = name, unit, description
        self._bounds = list(bounds)
        self._points: dict[tuple[tuple[str, AttributeValue], ...], _Point] = {}
        self._lock = Lock()
        self._started_ns = time.time_ns()

    def record(self, amount: float, attributes: Mapping[str, AttributeValue] | None = None) -> None:
        """Count one measurement."""
        key = tuple(attributes.items()) if attributes else ()
        bucket = bisect_left(self._bounds, amount)
        with self._lock:
            point = self._points.get(key)
            if point is None:
                point = self._points[key] = _Point(len(self._bounds) + 1)
            point.counts[bucket] += 1
            point.sum += amount
            if amount < point.min:
                point.min = amount
            if amount > point.max:
                point.max = amount

    def collect(self) -> Metric | None:
        """All that was measured; None if nothing was."""
        now_ns = time.time_ns()
        with self._lock:
            points = [
                HistogramDataPoint(
                    attributes=dict(key),
                    start_time_unix_nano=self._started_ns,
                    time_unix_nano=now_ns,
                    count=sum(point.counts),
                    sum=point.sum,
                    bucket_counts=tuple(point.counts),
                    explicit_bounds=tuple(self._bounds),
                    min=point.min,
                    max=point.max,
                )
                for key, point in self._points.items()
            ]
        if not points:
            return None
        data = export.Histogram(points, AggregationTemporality.CUMULATIVE)
        return Metric(name=self._name, description=self._description, unit=self._unit, data=data)


class Histograms:
    """Every histogram of one worker. It creates them as a meter does."""

    def __init__(self) -> None:
        self._histograms: Final[list[Histogram]] = []

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> Histogram:
        """A new histogram, with the upper limits of its buckets."""
        histogram = Histogram(name, unit, description, explicit_bucket_boundaries_advisory or ())
        self._histograms.append(histogram)
        return histogram

    def added_to(self, collected: MetricsData) -> MetricsData:
        """`collected`, with what was measured here, under the same resource and scope."""
        measured = [metric for histogram in self._histograms if (metric := histogram.collect())]
        if not measured or not collected.resource_metrics:
            return collected
        of_resource, *others = collected.resource_metrics
        scope, *scopes = of_resource.scope_metrics
        scope = replace(scope, metrics=[*scope.metrics, *measured])
        return MetricsData([replace(of_resource, scope_metrics=[scope, *scopes]), *others])


class PeriodicReader(PeriodicExportingMetricReader):
    """Exports the metrics of a meter provider, and `histograms`, at an interval."""

    def __init__(self, exporter: export.MetricExporter, interval_ms: float, histograms: Histograms) -> None:
        self._histograms = histograms  # first: the thread of the base class may read it at once
        super().__init__(exporter, interval_ms)

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        super()._receive_metrics(self._histograms.added_to(metrics_data), timeout_millis, **kwargs)


class PrometheusReader(PrometheusMetricReader):
    """Gives the metrics of a meter provider, and `histograms`, to a registry of Prometheus' client."""

    def __init__(self, registry: CollectorRegistry, histograms: Histograms) -> None:
        self._histograms = histograms
        super().__init__(scope_info_enabled=False, registry=registry)

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        super()._receive_metrics(self._histograms.added_to(metrics_data), timeout_millis, **kwargs)
