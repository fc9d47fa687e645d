"""How many copies of a model run, with how many threads each, where nobody says it."""

import os

import pytest

from sluicegate.models.inference.device import Device, Placement

SMALL, LARGE = 12_000_000, 600_000_000


@pytest.mark.parametrize(
    ("cores", "parameters", "asked", "chosen"),
    [
        (1, LARGE, (0, 0), (1, 1)),
        (2, LARGE, (0, 0), (1, 2)),
        (8, LARGE, (0, 0), (2, 4)),
        (64, LARGE, (0, 0), (4, 4)),
        (4, LARGE, (2, 0), (2, 2)),
        (4, LARGE, (0, 1), (4, 1)),
        (2, LARGE, (8, 0), (8, 1)),
        (4, LARGE, (3, 5), (3, 5)),
        (8, SMALL, (0, 0), (1, 1)),
        (8, SMALL, (0, 2), (1, 2)),
    ],
)
def test_a_large_model_uses_all_cores_first_by_copies_then_by_threads(
    monkeypatch: pytest.MonkeyPatch, cores: int, parameters: int, asked: tuple[int, int], chosen: tuple[int, int]
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    placement = Placement.chosen("cpu", "int8", *asked, parameters)
    assert (placement.threads, placement.replicas) == chosen


def test_one_copy_runs_on_a_gpu() -> None:
    device: Device = "cuda"
    assert Placement.chosen(device, "auto", 0, 0, LARGE) == Placement(device, "auto", 0, 1)
