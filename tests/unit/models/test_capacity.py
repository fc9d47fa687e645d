"""Measuring a machine with a real engine, and what is computed from the numbers."""

import itertools
from pathlib import Path

import pytest

from sluicegate.models import capacity
from sluicegate.models.artifacts.manifest import PromptStyleName
from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.models.inference.engine import Engine
from tests.support.compiled import compiled_tiny
from tests.support.guard_models import compiled_guard

COST = BatchCost(call=1, token=0.1, step=1, member=0.1, answer=10)


@pytest.mark.parametrize("profile", ["embedded", "adapted", "zero_shot"])
def test_a_model_is_measured_and_its_batches_cost_what_they_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: PromptStyleName
) -> None:
    monkeypatch.setattr(capacity, "_ENOUGH_S", 0.01)
    folder = compiled_tiny(tmp_path / "model", profile)
    steps: list[tuple[int, int]] = []

    def start(compute_type: str, threads: int, replicas: int) -> Engine:
        return Engine(folder, compute_type=compute_type, intra_threads=threads, replicas=replicas, max_answer_tokens=9)

    tuned = capacity.measure(start, ["float32", "int8"], 2, progress=lambda done, total: steps.append((done, total)))
    assert tuned.compute_type in ("float32", "int8")
    assert (tuned.threads, tuned.replicas) in ((1, 1), (1, 2), (2, 1))
    assert tuned.batch_size in (4, 8, 16, 32, 64, 128)
    assert tuned.rate > 0
    assert tuned.alone_ms > 0
    assert 0 < tuned.half_load_ms[0] <= tuned.half_load_ms[1]
    assert tuned.cost.milliseconds(32, 20, 20) > tuned.cost.milliseconds(1, 20, 20) > 0
    assert steps[-1][0] == steps[-1][1]
    assert all(before <= after for (before, _), (after, _) in itertools.pairwise(steps))


def test_the_prompt_that_follows_a_query_is_part_of_what_a_query_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "_ENOUGH_S", 0.01)
    folder = compiled_guard(tmp_path / "guard")
    cost = capacity.measure(lambda _, threads, __: Engine(folder, intra_threads=threads), ["float32"], 1).cost
    assert cost.suffix == Engine(folder).cost.suffix > 20
    assert cost.answer == 0
    assert cost.milliseconds(1, 0, 0) == pytest.approx(cost.call + cost.token * cost.suffix)


def test_latency_grows_with_the_load_and_begins_at_what_one_query_costs() -> None:
    alone = COST.milliseconds(1, 8, 8)
    light, heavy, shared = (
        capacity.simulated_ms(COST, rate, 8, 32, replicas) for rate, replicas in ((1, 1), (200, 1), (200, 2))
    )
    assert light[0] == pytest.approx(alone)
    assert light[0] < shared[0] < heavy[0] < heavy[1]


def test_the_price_is_that_of_the_cores_that_are_used() -> None:
    tuned = capacity.CapacityReport(
        compute_type="int8",
        threads=2,
        replicas=2,
        batch_size=8,
        cost=COST,
        rate=400,
        tokens=8,
        alone_ms=1,
        half_load_ms=(1, 2),
    )
    assert tuned.rate_per_core == 100
    assert tuned.price_per_million(0.36) == pytest.approx(1.0)
