"""The arithmetic of ``sluice capacity``."""

import math
from dataclasses import replace

import pytest

from sluicegate.models.capacity_plan import MOST_USE, OVERHEAD_MS, Plan, TooSlow, Worker, plan
from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.models.profile import Profile

QUICK = Profile(
    threads=1,
    replicas=2,
    batch_size=4,
    batch_cost=BatchCost(call=0.4, token=0.045, step=0, member=0.045, answer=0),
    rate=2000,
    tokens=10,
)
LARGE = Profile(
    threads=1,
    replicas=2,
    batch_size=16,
    batch_cost=BatchCost(call=90, token=1.6, step=70, member=2.8, answer=10),
    rate=12,
    tokens=10,
)
WORKER = Worker(profile=QUICK, cores=2, tokens=10, readings=1.5, pipeline_ms=0.5)


def planned(worker: Worker, *, rate: float = 2000, p99_ms: float = 200, spare: int = 1) -> Plan:
    return plan(worker, rate=rate, p99_ms=p99_ms, spare=spare, price=0.04)


def test_a_worker_decides_what_its_cores_pay_for() -> None:
    assert WORKER.core_ms == pytest.approx(0.5 + 1.5 * 1.0)
    assert WORKER.most == pytest.approx(1000 * 2 / 2.0)


def test_more_cores_help_only_as_far_as_the_engine_and_the_one_thread_of_the_pipeline_go() -> None:
    assert replace(WORKER, cores=16).most == pytest.approx(2000 / 1.5)
    assert replace(WORKER, cores=16, pipeline_ms=2).most == pytest.approx(500)


def test_longer_queries_cost_as_much_more_as_their_batches() -> None:
    longer = QUICK.batch_cost.milliseconds(4, 40, 40) / QUICK.batch_cost.milliseconds(4, 10, 10)
    assert QUICK.core_ms(40) == pytest.approx(longer * QUICK.core_ms(10))


def test_a_plan_is_enough_workers_and_those_to_spare() -> None:
    found = planned(WORKER)
    assert found.planned_each == pytest.approx(MOST_USE * WORKER.most)
    assert found.limited_by == "processor"
    assert found.workers == math.ceil(2000 / 800) + 1
    assert found.partitions >= found.workers
    assert found.cores == 2 * found.workers
    assert found.cost_month == pytest.approx(found.cores * 0.04 * 730)
    assert OVERHEAD_MS < found.p99_ms <= 200


def test_a_tight_limit_on_latency_needs_more_workers() -> None:
    slow = Worker(profile=LARGE, cores=2, tokens=10, readings=1)
    loose, tight = planned(slow, rate=50, p99_ms=20_000), planned(slow, rate=50, p99_ms=2_000)
    assert tight.workers > loose.workers
    assert tight.limited_by == "latency"
    assert slow.p99_ms(tight.planned_each) <= 2_000


def test_a_limit_that_one_query_alone_passes_cannot_be_met() -> None:
    with pytest.raises(TooSlow, match="a p99 of 21 ms cannot be met"):
        planned(Worker(profile=LARGE, cores=2, tokens=10, readings=1), p99_ms=21)


def test_a_second_model_costs_its_share() -> None:
    both = replace(WORKER, second=LARGE, share=0.12)
    assert both.core_ms == pytest.approx(WORKER.core_ms + 0.12 * LARGE.core_ms(10))
    assert both.most < WORKER.most
    alone, together = planned(WORKER, rate=100), planned(both, rate=100)
    assert together.workers > alone.workers
    assert alone.second_p99_ms is None
    assert together.second_p99_ms is not None
    assert together.second_p99_ms > together.p99_ms


def test_a_second_model_that_is_asked_about_nothing_costs_nothing() -> None:
    assert planned(replace(WORKER, second=LARGE, share=0.0)) == planned(WORKER)
