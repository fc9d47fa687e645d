"""What a model achieves on a machine: its throughput in several ways of running it, and the cost model of the best one.

All times are wall clock, the best of a few runs: other work on the machine can only make a run slower.
"""

import itertools
import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from sluicegate.models.data.corruption import corrupt
from sluicegate.models.data.products import product_query
from sluicegate.models.inference.batch_cost import DRAFT_TOKENS, BatchCost
from sluicegate.models.inference.engine import Engine
from sluicegate.models.inference.judge import EncodedQuery, Judge
from sluicegate.models.progress import Meter, Progress
from sluicegate.models.text.normalise import normalise

Start = Callable[[str, int, int], Engine]
"""Loads the model with a compute type, threads per replica, and replicas."""

ChoiceT = TypeVar("ChoiceT")

_ENOUGH_S: Final = 1.0
"""A measurement is repeated for this time. One that takes longer is done once."""

_MEMBERS: Final = (1, 4, 16, 32)
_LENGTHS: Final = (4, 16, 32)
_STEPS: Final = (1, 9)
_DRAFTED_MEMBERS: Final = (1, 4, 16)
_BATCH_SIZES: Final = (4, 8, 16, 32, 64, 128)
_FIRST_BATCH: Final = 16
_QUERIES: Final = 256
_WORTH_IT: Final = 1.05
"""How much faster a bigger batch, more threads or more replicas must be to be chosen: each has a price of its own."""

_ARRIVALS: Final = 20_000


@dataclass(frozen=True, kw_only=True)
class CapacityReport:
    """The best way found to run a model here."""

    compute_type: str
    threads: int
    """Of each replica."""
    replicas: int
    batch_size: int
    cost: BatchCost
    rate: float
    """Queries a second, verdict and answer, when there is always work."""
    tokens: int
    """Of one of these queries, on average."""
    alone_ms: float
    """Median of one query on an idle machine."""
    half_load_ms: tuple[float, float]
    """Median and 99th percentile at half of `rate`, arrivals at random: simulated with `cost`."""

    @property
    def rate_per_core(self) -> float:
        """Queries a second of each core that the engine uses."""
        return self.rate / (self.threads * self.replicas)

    def price_per_million(self, core_hour: float) -> float:
        """The price of a million queries when a core costs `core_hour` for an hour."""
        return 1e6 / self.rate_per_core / 3600 * core_hour


def measure(
    start: Start, compute_types: Sequence[str], cores: int, progress: Progress = lambda *_: None
) -> CapacityReport:
    """Measure the model that `start` loads on `cores` cores, in each of `compute_types`.

    It tries every number of replicas with every number of threads that the cores are enough for, in powers of two.
    """
    ways = [
        (kind, threads, replicas)
        for kind in compute_types
        for threads in _powers_of_two(cores)
        for replicas in _powers_of_two(cores // threads)
    ]
    meter = Meter(len(ways) + len(_MEMBERS) * len(_LENGTHS) * len(_STEPS) + len(_BATCH_SIZES), progress)
    queries: list[EncodedQuery] = []
    rates: dict[tuple[str, int, int], float] = {}
    for way in ways:
        engine = start(*way)
        queries = queries or sample(engine, _QUERIES)
        rates[way] = _rate(engine, queries, _FIRST_BATCH, meter)
    kind, threads, replicas = _least_that_is_worth_it(rates, effort=lambda way: way[1] * way[2])
    engine = start(kind, threads, replicas)
    answers = engine.judge(queries[:_FIRST_BATCH])
    # The first token is the verdict, which reading the query gives.
    cost = _fit(engine, statistics.mean(max(0, result.output_tokens - 1) for result in answers), meter)
    sizes: dict[int, float] = {}
    for size in _BATCH_SIZES:
        smaller = max(sizes.values(), default=0.0)
        sizes[size] = _rate(engine, queries, size, meter)
        if sizes[size] < smaller:
            break
    meter.add(len(_BATCH_SIZES) - len(sizes))
    batch_size = _least_that_is_worth_it(sizes, effort=lambda size: size)
    alone = [_best_s(engine.judge, [query]) for query in queries[:_FIRST_BATCH]]
    length = round(statistics.mean(len(query.tokens) for query in queries))
    return CapacityReport(
        compute_type=kind,
        threads=threads,
        replicas=replicas,
        batch_size=batch_size,
        cost=cost,
        rate=sizes[batch_size],
        tokens=length,
        alone_ms=1000 * statistics.median(alone),
        half_load_ms=simulated_ms(cost, sizes[batch_size] / 2, length, batch_size, replicas),
    )


def sample(judge: Judge, count: int) -> list[EncodedQuery]:
    """Product queries, half of them misspelt; the same each time."""
    rng = random.Random(3)  # noqa: S311 - reproducible queries, not a secret
    texts = [product_query(rng).text for _ in range(count)]
    return [judge.encode(normalise(corrupt(text, rng) if n % 2 else text).text) for n, text in enumerate(texts)]


def simulated_ms(cost: BatchCost, rate: float, length: int, batch_size: int, replicas: int) -> tuple[float, float]:
    """Median and 99th percentile of the time to an answer when `rate` queries a second arrive at random."""
    rng = random.Random(5)  # noqa: S311 - a simulation
    arrivals, now = [], 0.0
    for _ in range(_ARRIVALS):
        now += rng.expovariate(rate) * 1000
        arrivals.append(now)
    free, times, first = [0.0] * replicas, [], 0
    while first < len(arrivals):
        replica = free.index(min(free))
        began = max(free[replica], arrivals[first])
        members = 1
        while members < batch_size and first + members < len(arrivals) and arrivals[first + members] <= began:
            members += 1
        free[replica] = began + cost.milliseconds(members, length, length)
        times += [free[replica] - arrived for arrived in arrivals[first : first + members]]
        first += members
    cuts = statistics.quantiles(times, n=100)
    return cuts[49], cuts[98]


def _powers_of_two(most: int) -> list[int]:
    return [1 << power for power in range(most.bit_length()) if 1 << power <= most]


def _least_that_is_worth_it(rates: dict[ChoiceT, float], effort: Callable[[ChoiceT], int]) -> ChoiceT:
    """Of the choices that are nearly as fast as the best, the one with the least effort; of those, the fastest."""
    best = max(rates.values())
    good = [choice for choice, rate in rates.items() if rate * _WORTH_IT >= best]
    return min(good, key=lambda choice: (effort(choice), -rates[choice]))


def _rate(engine: Engine, queries: Sequence[EncodedQuery], batch_size: int, meter: Meter) -> float:
    """Queries a second in batches of `batch_size`, of neighbouring lengths, when every replica always has one."""
    ordered = sorted(queries, key=lambda query: len(query.tokens))
    batches = [ordered[place : place + batch_size] for place in range(0, len(ordered), batch_size)]
    random.Random(batch_size).shuffle(batches)  # noqa: S311 - reproducible order, not a secret
    engine.judge(batches[0][:1])

    def judge_until_enough(turn: int) -> int:
        count = 0
        for batch in itertools.islice(itertools.cycle(batches), turn, turn + len(batches)):
            engine.judge(batch)
            count += len(batch)
            if time.perf_counter() - began > _ENOUGH_S:
                break
        return count

    began = time.perf_counter()
    with ThreadPoolExecutor(engine.replicas) as threads:
        judged = sum(threads.map(judge_until_enough, range(engine.replicas)))
    rate = judged / (time.perf_counter() - began)
    meter.add(1)
    return rate


def _fit(engine: Engine, answer: float, meter: Meter) -> BatchCost:
    """Least squares of the relative error over batches of several sizes, lengths and answers."""
    rows, times = [], []
    for members in _MEMBERS:
        for length in _LENGTHS:
            for steps in _STEPS:
                times.append(1000 * _best_s(engine.exercise, members, length, steps))
                rows.append((1.0, members * (length + engine.cost.suffix), steps, members * steps))
                meter.add(1)
    weighted = np.array(rows) / np.array(times)[:, None]
    fitted = np.linalg.lstsq(weighted, np.ones(len(times)), rcond=None)[0]
    call, token, step, member = (round(max(1e-6, value), 6) for value in fitted.tolist())
    of_style = engine.cost
    draft_call, draft_token = _fit_drafts(engine) if of_style.draft_token else (0.0, 0.0)
    return BatchCost(
        call=call,
        token=token,
        step=step,
        member=member,
        answer=answer,
        calls=of_style.calls,
        suffix=of_style.suffix,
        draft_call=draft_call,
        draft_token=draft_token,
    )


def _fit_drafts(engine: Engine) -> tuple[float, float]:
    """What a pass over prompts and drafts costs, and each of its tokens."""
    tokens, times = [], []
    for members in _DRAFTED_MEMBERS:
        for length in _LENGTHS[:2]:
            tokens.append(members * (length + DRAFT_TOKENS))
            times.append(1000 * _best_s(engine.exercise_drafts, members, length))
    weighted = np.array([np.ones(len(tokens)), tokens]).T / np.array(times)[:, None]
    call, token = np.linalg.lstsq(weighted, np.ones(len(times)), rcond=None)[0].tolist()
    return round(max(0.0, call), 6), round(max(1e-6, token), 6)


def _best_s(work: Callable[..., object], *arguments: object) -> float:
    best, end = math.inf, time.perf_counter() + _ENOUGH_S / 4
    while best is math.inf or time.perf_counter() < end:
        began = time.perf_counter()
        work(*arguments)
        best = min(best, time.perf_counter() - began)
    return best
