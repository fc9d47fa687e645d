"""The training command on a handful of rows: seeded, resumable, and its checkpoint compiles. Runs where `train` is."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from sluicegate.models.compiler.compile import compile_checkpoint
from sluicegate.models.inference.engine import Engine
from tests.support.training_sources import SOURCES, write_sources

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("all_minilm_l6_v2")


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

    from sluicegate.models.pretraining import fitting, stages
    from sluicegate.models.pretraining.stages import TrainingPlan, train

    monkeypatch.setattr(fitting, "_SAVE_EVERY", 2)
    monkeypatch.setattr(stages, "_TEXTS_COUNTED", 2000)
    plan = TrainingPlan(teacher_steps=2, student_steps=4, settling_steps=2, batch_size=8)
    train(data, tmp_path / "whole", plan)

    saved: list[int] = []
    save = torch.save

    def save_and_stop(state: dict[str, int], path: Path) -> None:
        save(state, path)
        saved.append(state["step"])
        if len(saved) == 2:
            path.replace(path.with_suffix(".pt"))
            raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "stopped", plan)
    assert saved == [2, 2]
    monkeypatch.setattr(torch, "save", save)
    train(data, tmp_path / "stopped", plan)

    whole, stopped = (
        torch.load(tmp_path / name / "student.resume.pt", weights_only=True) for name in ("whole", "stopped")
    )
    assert whole["step"] == stopped["step"] == 4
    for name, weights in whole["network"].items():
        torch.testing.assert_close(weights, stopped["network"][name])


def test_its_checkpoint_is_compiled_and_judges_as_the_network_does(tmp_path: Path, data: Path) -> None:
    import torch

    from sluicegate.models.pretraining.network import STUDENT_LAYERS, GateNetwork
    from sluicegate.models.pretraining.stages import TrainingPlan, train

    train(data, tmp_path / "checkpoint", TrainingPlan(teacher_steps=2, student_steps=2, settling_steps=2, batch_size=8))
    compile_checkpoint(tmp_path / "checkpoint", tmp_path / "model", quantization="float32", prompt_style="embedded")
    engine = Engine(tmp_path / "model")
    query = engine.encode("red shoes 😀")
    served = engine.judge([query])[0].probabilities

    saved = torch.load(tmp_path / "checkpoint" / "student.resume.pt", weights_only=True)["network"]
    vocabulary = Tokenizer.from_file(str(tmp_path / "checkpoint" / "tokenizer.json")).get_vocab()
    network = GateNetwork(STUDENT_LAYERS, len(vocabulary))
    network.load_state_dict(saved)
    ids = torch.tensor([[vocabulary[token] for token in query.tokens]])
    with torch.no_grad():
        logits = network.eval()(ids, torch.ones_like(ids)).labels
    assert list(served.values()) == pytest.approx(torch.softmax(logits, -1)[0].tolist(), rel=1e-3)


def test_the_learning_rate_warms_up_and_cools_down() -> None:
    from sluicegate.models.pretraining.fitting import FitPlan, learning_rate

    plan = FitPlan("teacher", steps=1000, learning_rate=1e-4, warmup_steps=100)
    rates = [learning_rate(step, plan) for step in range(plan.steps)]
    assert max(rates) == rates[99] == plan.learning_rate
    assert rates[-1] < plan.learning_rate / 40
