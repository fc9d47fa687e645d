"""The metrics of the last minutes: each second of the last minute, and every ten seconds of the last five."""

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final, NamedTuple

from prometheus_client import Metric

Labels = tuple[tuple[str, str], ...]
Values = Mapping[tuple[str, Labels], float]

MINUTE_S: Final = 60.0
LONGEST_S: Final = 300.0
_COARSE_S: Final = 10.0


class Sample(NamedTuple):
    """The value of every series at one moment of a monotonic clock, in seconds."""

    at: float
    values: Values


def values_of(families: Iterable[Metric]) -> Values:
    """The series of a metrics page."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


class Change:
    """What has changed between two samples. A series that is new began at 0."""

    def __init__(self, old: Sample, new: Sample) -> None:
        self._old, self._new = old.values, new.values
        self.seconds = max(new.at - old.at, 1e-9)

    def began_with(self, name: str) -> bool:
        """Whether the older sample has series of `name`."""
        return any(series == name for series, _ in self._old)

    def of(self, name: str, **labels: str) -> float:
        """The increase of all series of `name` with `labels`."""
        return sum(self._increases(name, labels).values())

    def rate(self, name: str, **labels: str) -> float:
        """The same by second."""
        return self.of(name, **labels) / self.seconds

    def by(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """The increase by the values of `label`; only of those that there are."""
        return _summed_by(self._increases(name, labels), label)

    def quantile(self, name: str, share: float, **labels: str) -> float | None:
        """Such a quantile of a histogram, in its unit, as Prometheus estimates it; None without a measurement."""
        buckets: dict[float, float] = {}
        for found, increase in self._increases(f"{name}_bucket", labels).items():
            limit = float(dict(found)["le"])
            buckets[limit] = buckets.get(limit, 0) + increase
        limits = sorted(buckets)
        if not limits or buckets[limits[-1]] <= 0:
            return None
        rank, lower, before = share * buckets[limits[-1]], 0.0, 0.0
        for limit in limits:
            if buckets[limit] >= rank:
                if limit == float("inf"):
                    return lower
                inside = buckets[limit] - before
                return lower + (limit - lower) * ((rank - before) / inside if inside else 1)
            lower, before = limit, buckets[limit]
        return lower

    def _increases(self, name: str, labels: Mapping[str, str]) -> dict[Labels, float]:
        wanted = set(labels.items())
        return {
            found: value - self._old.get((series, found), 0)
            for (series, found), value in self._new.items()
            if series == name and wanted <= set(found)
        }


def levels(sample: Sample, name: str, label: str | None = None) -> dict[str, float]:
    """The sums of all series of `name` by `label`; under "" without one."""
    return _summed_by({found: value for (series, found), value in sample.values.items() if series == name}, label)


def _summed_by(values: Mapping[Labels, float], label: str | None) -> dict[str, float]:
    summed: dict[str, float] = {}
    for labels, value in values.items():
        name = dict(labels).get(label, "") if label else ""
        summed[name] = summed.get(name, 0) + value
    return summed


class History:
    """The samples of one process, from its start on."""

    def __init__(self, started_at: float) -> None:
        self._first = Sample(started_at, {})
        self._fine: deque[Sample] = deque([self._first])
        self._coarse: deque[Sample] = deque([self._first])

    def add(self, sample: Sample) -> None:
        """Add the newest sample, and drop what is too old."""
        self._fine.append(sample)
        if sample.at - self._coarse[-1].at >= _COARSE_S:
            self._coarse.append(sample)
        _drop_before(self._fine, sample.at - MINUTE_S)
        _drop_before(self._coarse, sample.at - LONGEST_S)

    @property
    def newest(self) -> Sample:
        """The last sample."""
        return self._fine[-1]

    def last(self, seconds: float) -> Change:
        """The change over the last `seconds`, or since the start."""
        samples = self._fine if seconds <= MINUTE_S else self._coarse
        since = self.newest.at - seconds
        old = next((sample for sample in reversed(samples) if sample.at <= since), samples[0])
        return Change(old, self.newest)

    def before(self, seconds: float) -> Change:
        """The change from the start until `seconds` ago; an empty one if the process is younger."""
        since = self.newest.at - seconds
        return Change(self._first, next((each for each in reversed(self._coarse) if each.at <= since), self._first))

    @property
    def steps(self) -> list[Change]:
        """The changes over the last minutes, of ten seconds each."""
        samples = [*self._coarse, *([self.newest] if self.newest.at > self._coarse[-1].at + 1 else [])]
        return [Change(old, new) for old, new in pairwise(samples)]

    @property
    def samples(self) -> list[Sample]:
        """The samples of the last minutes, ten seconds apart, and the newest."""
        return [*list(self._coarse)[1:], *([self.newest] if self.newest is not self._coarse[-1] else [])]


def _drop_before(samples: deque[Sample], at: float) -> None:
    """Drop the samples before `at`, but for the last of them, with which a change over the whole time begins."""
    while len(samples) > 1 and samples[1].at <= at:
        samples.popleft()
