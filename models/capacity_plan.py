"""How many workers a stream needs, from what ``sluice calibrate`` measured of its model.

One event costs a worker, in milliseconds of one core,

    core_ms = pipeline_ms + readings · model_ms      (and share · that of a second model)

where `model_ms` = 1000 · threads · replicas / rate: the profile has the rate of queries that the engine was measured to
judge. For queries of another length it changes as the cost of a full batch does. A worker on `cores` cores decides at
most

    most = min(1000 · cores / core_ms,  1000 / pipeline_ms,  rate / readings)     events a second

The pipeline (correcting, publishing, the ledger …) uses one core at most, an engine `replicas · threads`.
A worker is planned for as much as keeps its 99th percentile within the limit, by a simulation of random arrivals, and
never for more than `MOST_USE` of the most. What else uses the cores makes a batch take longer by its share of them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from sluicegate.models.profile import Profile

PIPELINE_MS: Final = 1.6
"""Milliseconds of one core that an event takes besides the model. Measured: see docs/capacity.md."""
OVERHEAD_MS: Final = 20.0
"""What Kafka and the pipeline are assumed to add to the 99th percentile: see docs/capacity.md for how to measure it."""
MOST_USE: Final = 0.8
"""The share of its most that a worker is planned for: the rest is for bursts, and for catching up."""
HOURS_A_MONTH: Final = 730
WORKER_GB: Final = 1.0
"""Memory of a worker with the embedded model: see docs/operations.md."""

_STEPS: Final = 12


@dataclass(frozen=True, kw_only=True)
class Worker:
    """One worker: its models, what an event asks of them, and the cores that it may use."""

    profile: Profile
    cores: int
    tokens: int
    """Of a query, on average."""
    readings: float
    """Texts that the first model judges for each event, on average."""
    second: Profile | None = None
    share: float = 0.0
    """Of the events, that the second model is asked about."""
    pipeline_ms: float = PIPELINE_MS
    overhead_ms: float = OVERHEAD_MS
    """What Kafka and the pipeline add to the 99th percentile."""

    @property
    def core_ms(self) -> float:
        """Milliseconds of one core that an event takes."""
        second = self.share * self.second.core_ms(self.tokens) if self.second else 0.0
        return self.pipeline_ms + self.readings * self.profile.core_ms(self.tokens) + second

    @property
    def most(self) -> float:
        """Events a second, when there is always work."""
        rates = [
            1000 * self.cores / self.core_ms,
            1000 / self.pipeline_ms,
            self.profile.rate_of(self.tokens) / self.readings,
        ]
        if self.second and self.share:
            rates.append(self.second.rate_of(self.tokens) / self.share)
        return min(rates)

    def p99_ms(self, rate: float) -> float:
        """The 99th percentile of what the first model decides alone, from Kafka to Kafka."""
        engine_ms = self.readings * self.profile.core_ms(self.tokens)
        return self.overhead_ms + self.profile.p99_ms(
            rate * self.readings, self.tokens, self._slowed(self.profile, rate, engine_ms)
        )

    def second_p99_ms(self, rate: float) -> float | None:
        """The 99th percentile of what goes on to the second model; None without one."""
        if self.second is None or not self.share:
            return None
        engine_ms = self.share * self.second.core_ms(self.tokens)
        slowed = self._slowed(self.second, rate, engine_ms)
        return self.p99_ms(rate) + self.second.p99_ms(rate * self.share, self.tokens, slowed)

    def _slowed(self, profile: Profile, rate: float, engine_ms: float) -> float:
        """How many times longer a batch takes because of all else that an event costs."""
        left = self.cores - rate * (self.core_ms - engine_ms) / 1000
        return max(1.0, profile.threads * profile.replicas / left)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a stream needs. Rates are in events a second, of one worker."""

    workers: int
    """With those to spare."""
    partitions: int
    """Twice as many as workers, so that their number can be doubled."""
    cores: int
    """Of all workers."""
    memory_gb: float
    """Of all workers."""
    cost_month: float
    most_each: float
    planned_each: float
    """The rate at which one more event a second would need another worker."""
    limited_by: Literal["latency", "processor"]
    """What keeps that rate from being higher."""
    rate_each: float
    """The rate when none is missing."""
    p99_ms: float
    """At that rate, of what the first model decides alone, from Kafka to Kafka."""
    second_p99_ms: float | None
    """At that rate, of what goes on to the second model."""


class TooSlow(Exception):
    """No number of workers is fast enough; the message says why."""


def plan(worker: Worker, *, rate: float, p99_ms: float, spare: int, price: float, model_gb: float = 0.0) -> Plan:
    """Workers for `rate` events a second, with `spare` more, at `price` for a core and an hour.

    `model_gb` is what the models take beyond the embedded one.

    Raises:
        TooSlow: the model's answer to a single query takes longer than `p99_ms`.
    """
    use = MOST_USE * worker.most
    fastest = worker.p99_ms(use / 1000)
    if fastest > p99_ms:
        raise TooSlow(
            f"a p99 of {p99_ms:g} ms cannot be met: a worker with hardly any work has {fastest:.0f} ms, of which Kafka "
            f"and the pipeline are {worker.overhead_ms:g} ms"
        )
    planned = _highest(lambda each: worker.p99_ms(each) <= p99_ms, use / 1000, use)
    workers = math.ceil(rate / planned) + spare
    each = rate / workers
    return Plan(
        workers=workers,
        partitions=2 * workers,
        cores=workers * worker.cores,
        memory_gb=workers * (WORKER_GB + model_gb),
        cost_month=workers * worker.cores * price * HOURS_A_MONTH,
        most_each=worker.most,
        planned_each=planned,
        limited_by="processor" if planned == use else "latency",
        rate_each=each,
        p99_ms=worker.p99_ms(each),
        second_p99_ms=worker.second_p99_ms(each),
    )


def _highest(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The highest rate for which `holds`, which it does at `low`."""
    if holds(high):
        return high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
