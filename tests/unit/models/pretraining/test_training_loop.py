"""The training command on a handful of rows: seeded, resumable, and its checkpoint compiles. Runs where `train` is."""

from pathlib import Path

import pytest

from sluicegate.models.compiler.compile import compile_checkpoint
from sluicegate.models.inference.engine import Engine
from tests.support.training_sources import SOURCES, write_sources

pytest.importorskip("torch")
pytest.importorskip("transformers")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    write_sources(folder, SOURCES)
    return folder


def test_a_run_that_was_stopped_ends_where_one_that_was_not_does(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from sluicegate.models.pretraining import loop

    monkeypatch.setattr(loop, "_SAVE_EVERY", 2)
    plan = loop.TrainingPlan(steps=4, batch_size=8, warmup_steps=1)
    loop.train(data, tmp_path / "whole", plan)

    saved: list[int] = []
    save = torch.save

    def save_and_stop(state: dict[str, int], path: Path) -> None:
        save(state, path)
        saved.append(state["step"])
        path.replace(path.with_suffix(".pt"))
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        loop.train(data, tmp_path / "stopped", plan)
    assert saved == [2]
    monkeypatch.setattr(torch, "save", save)
    loop.train(data, tmp_path / "stopped", plan)

    whole, stopped = (torch.load(tmp_path / name / "resume.pt", weights_only=True) for name in ("whole", "stopped"))
    assert whole["step"] == stopped["step"] == 4
    for name, weights in whole["model"].items():
        torch.testing.assert_close(weights, stopped["model"][name])


def test_its_checkpoint_is_compiled_and_served(tmp_path: Path, data: Path) -> None:
    from sluicegate.models.pretraining.loop import TrainingPlan, train

    train(data, tmp_path / "checkpoint", TrainingPlan(steps=2, batch_size=8, warmup_steps=1))
    compile_checkpoint(
        tmp_path / "checkpoint",
        tmp_path / "model",
        quantization="int8_float32",
        prompt_style="embedded",
    )
    engine = Engine(tmp_path / "model")
    assert sum(engine.judge([engine.encode("red shoes")])[0].probabilities.values()) == pytest.approx(1)


def test_the_learning_rate_warms_up_and_cools_down() -> None:
    from sluicegate.models.pretraining.loop import TrainingPlan, learning_rate

    plan = TrainingPlan(steps=1000, warmup_steps=100)
    rates = [learning_rate(step, plan) for step in range(plan.steps)]
    assert max(rates) == rates[99] == plan.learning_rate
    assert rates[-1] < plan.learning_rate / 40
