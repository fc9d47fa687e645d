"""Our histograms report what the SDK's would."""

import threading
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Histogram, HistogramDataPoint, InMemoryMetricReader, MetricsData
from opentelemetry.util.types import AttributeValue

from sluicegate.agents.telemetry.histograms import CreatesHistograms, Histograms

BOUNDS = (0.1, 0.5, 1.0)
MEASURED: Sequence[tuple[float, dict[str, AttributeValue]]] = [
    (0.0, {"stage": "queue"}),
    (0.1, {"stage": "queue"}),
    (0.1000001, {"stage": "queue"}),
    (7.0, {"stage": "queue"}),
    (1.0, {"stage": "model", "replica": 1}),
    (0.3, {}),
]


class Reader(InMemoryMetricReader):
    def __init__(self, histograms: Histograms) -> None:
        self._histograms = histograms
        super().__init__()

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        super()._receive_metrics(self._histograms.added_to(metrics_data), timeout_millis, **kwargs)


def points_after(histograms: Histograms, measure: CreatesHistograms | None) -> tuple[str, str, list[Any]]:
    """Name, unit and points of the histogram that `measure`, by default the SDK's meter, has made of `MEASURED`."""
    reader = Reader(histograms)
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("test")
    meter.create_counter("other").add(1)
    histogram = (measure or meter).create_histogram("d", "s", "D.", explicit_bucket_boundaries_advisory=BOUNDS)
    for amount, attributes in MEASURED:
        histogram.record(amount, attributes)
    data = reader.get_metrics_data()
    assert data
    [metric] = [each for each in data.resource_metrics[0].scope_metrics[0].metrics if isinstance(each.data, Histogram)]
    return metric.name, metric.unit or "", [shown(point) for point in metric.data.data_points]


def shown(point: Any) -> tuple[object, ...]:
    assert isinstance(point, HistogramDataPoint)
    counts, bounds = list(point.bucket_counts), list(point.explicit_bounds)
    return dict(point.attributes or {}), point.count, point.sum, counts, bounds, point.min, point.max


def test_each_point_is_the_one_that_the_sdk_would_report() -> None:
    histograms = Histograms()
    assert points_after(histograms, histograms) == points_after(Histograms(), None)


def test_no_measurement_of_any_thread_is_lost() -> None:
    histograms = Histograms()
    histogram = histograms.create_histogram("d", explicit_bucket_boundaries_advisory=BOUNDS)

    def record() -> None:
        for _ in range(20_000):
            histogram.record(0.3)

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    metric = histogram.collect()
    assert metric
    [point] = metric.data.data_points
    assert isinstance(point, HistogramDataPoint)
    assert (point.count, list(point.bucket_counts)) == (80_000, [0, 80_000, 0, 0])


def test_a_histogram_without_a_measurement_is_not_reported() -> None:
    histograms = Histograms()
    histograms.create_histogram("d", explicit_bucket_boundaries_advisory=BOUNDS)
    reader = Reader(histograms)
    MeterProvider([reader], shutdown_on_exit=False).get_meter("test").create_counter("other").add(1)
    data = reader.get_metrics_data()
    assert data
    assert [metric.name for metric in data.resource_metrics[0].scope_metrics[0].metrics] == ["other"]
