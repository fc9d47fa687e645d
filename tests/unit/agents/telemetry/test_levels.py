"""Readiness, lag and late commits as an exporter reads them."""

from collections.abc import Mapping

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Gauge, InMemoryMetricReader

from sluicegate.agents.telemetry import levels
from sluicegate.agents.telemetry.levels import LevelGauges, PartitionLag, WorkerLevels

LAGGING = WorkerLevels(
    ready=True, commit_late_s=1.5, lags=(PartitionLag("queries.raw", 0, 7), PartitionLag("queries.raw", 1, 0))
)


class Exported:
    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.gauges = LevelGauges(MeterProvider([self._reader], shutdown_on_exit=False).get_meter("test"))

    def values(self) -> Mapping[str, list[float]]:
        data = self._reader.get_metrics_data()
        metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []
        return {
            metric.name: [point.value for point in metric.data.data_points]
            for metric in metrics
            if isinstance(metric.data, Gauge)
        }


def test_the_levels_that_were_set_last_are_exported() -> None:
    exported = Exported()
    assert exported.values() == {}
    exported.gauges.set(LAGGING)
    assert exported.values() == {
        "sluicegate.ready": [1],
        "sluicegate.commit.late": [1.5],
        "sluicegate.consumer.lag": [7, 0],
    }
    exported.gauges.set(WorkerLevels(ready=False, commit_late_s=0))
    assert exported.values() == {"sluicegate.ready": [0], "sluicegate.commit.late": [0]}


def test_a_worker_that_hangs_is_not_ready_and_its_lag_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    exported = Exported()
    exported.gauges.set(LAGGING)
    monkeypatch.setattr(levels, "STALE_S", 0.0)
    assert exported.values()["sluicegate.ready"] == [0]
    assert "sluicegate.consumer.lag" not in exported.values()
