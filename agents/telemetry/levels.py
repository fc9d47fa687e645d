"""Levels that an alert watches: whether a worker is ready, how far it is behind, and how late its commits are."""

import time
from collections.abc import Iterator
from typing import Final

import msgspec
from opentelemetry.metrics import CallbackOptions, Meter, Observation

from sluicegate.agents.telemetry import semconv

STALE_S: Final = 30.0


class PartitionLag(msgspec.Struct, frozen=True):
    """The `records` of one partition that the group has not committed. Transaction markers count as records."""

    topic: str
    partition: int
    records: int
    age_s: float = 0.0
    """Seconds since Kafka said where the partition ends."""


class WorkerLevels(msgspec.Struct, frozen=True):
    """How a worker is at one moment: `commit_late_s` is 0 if no commit is due, `lags` has the known ones."""

    ready: bool
    commit_late_s: float
    lags: tuple[PartitionLag, ...] = ()


class LevelGauges:
    """Exports the levels that were set last. Any thread may read them, because they are replaced as one.

    Levels that are older than STALE_S come from a worker that hangs: it is not ready, whatever they say, and its lag is
    not known.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._levels: WorkerLevels | None = None
        self._set_at = 0.0

    def set(self, levels: WorkerLevels) -> None:
        """Export `levels` from now on."""
        first = self._levels is None
        self._levels, self._set_at = levels, time.monotonic()
        if first:
            self._create_gauges()

    def _create_gauges(self) -> None:
        self._meter.create_observable_gauge(
            semconv.METRIC_READY, [self._ready], "", "1 if the worker would decide an event now, else 0."
        )
        self._meter.create_observable_gauge(
            semconv.METRIC_COMMIT_LATE, [self._commit_late], "s", "Time for which Kafka has not confirmed a commit."
        )
        self._meter.create_observable_gauge(
            semconv.METRIC_CONSUMER_LAG, [self._lags], "{record}", "Records that are not committed, by partition."
        )

    @property
    def _age_s(self) -> float:
        return time.monotonic() - self._set_at

    def _ready(self, _: CallbackOptions) -> Iterator[Observation]:
        if self._levels:
            yield Observation(int(self._levels.ready and self._age_s < STALE_S))

    def _commit_late(self, _: CallbackOptions) -> Iterator[Observation]:
        if self._levels:
            yield Observation(self._levels.commit_late_s)

    def _lags(self, _: CallbackOptions) -> Iterator[Observation]:
        for lag in self._levels.lags if self._levels and self._age_s < STALE_S else ():
            yield Observation(
                lag.records,
                {
                    semconv.MESSAGING_DESTINATION_NAME: lag.topic,
                    semconv.MESSAGING_DESTINATION_PARTITION_ID: str(lag.partition),
                },
            )
