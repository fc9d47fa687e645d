"""Checkpoints of the embedded style: what is wrong with one is said in one line."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sluicegate.models.compiler.compile import compile_checkpoint
from sluicegate.models.compiler.encoder import open_encoder
from sluicegate.schemas.errors import CheckpointError
from tests.support.checkpoints import write_safetensors
from tests.support.encoder_checkpoints import write_encoder_checkpoint


def _edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **changes}))


def _drop_a_tensor(folder: Path) -> None:
    shapes = open_encoder(folder).config.shapes()
    shapes.pop("intents.bias")
    write_safetensors(folder / "model.safetensors", shapes, "float32", np.random.default_rng(0))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "config.json is missing"),
        (lambda folder: _edit_config(folder, model_type="qwen3"), "an embedded model is 'bert'"),
        (lambda folder: _edit_config(folder, hidden_act="relu"), "hidden_act"),
        (lambda folder: _edit_config(folder, hidden_size=24), "has shape"),
        (lambda folder: _edit_config(folder, heads={"labels": ["ok"], "intents": [], "aisles": []}), "other labels"),
        (_drop_a_tensor, "tensor intents.bias is missing"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "is not a tokenizer"),
    ],
)
def test_a_broken_checkpoint_is_refused_in_one_line(
    tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    folder = write_encoder_checkpoint(tmp_path / "checkpoint")
    damage(folder)
    with pytest.raises(CheckpointError, match=said) as refused:
        compile_checkpoint(folder, tmp_path / "model", quantization="float32", prompt_style="embedded")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "model").exists()


def test_an_adapter_is_refused(tmp_path: Path) -> None:
    folder = write_encoder_checkpoint(tmp_path / "checkpoint")
    with pytest.raises(CheckpointError, match="takes no adapter"):
        compile_checkpoint(
            folder, tmp_path / "model", quantization="float32", prompt_style="embedded", adapter=tmp_path
        )
