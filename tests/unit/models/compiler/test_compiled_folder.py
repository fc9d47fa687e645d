"""A compilation replaces a compiled model as a whole or changes nothing, and a damaged one does not verify."""

import json
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sluicegate.models.artifacts.manifest import read_manifest, verify_files
from sluicegate.models.compiler.compile import compile_checkpoint, verify_compiled
from sluicegate.schemas.errors import CheckpointError, CompiledModelError
from tests.support.checkpoint_files import (
    FIXTURE,
    compile_to,
    truncate,
)


def test_a_compiled_model_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    compile_to(tmp_path / "model", quantization="float32")
    second = compile_to(tmp_path / "model", quantization="int8")
    assert read_manifest(tmp_path / "model") == second
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), SystemExit(1)], ids=["Ctrl-C", "exit"])
def test_an_interruption_leaves_the_old_model_and_nothing_else(tmp_path: Path, interruption: BaseException) -> None:
    first = compile_to(tmp_path / "model", quantization="float32")

    def interrupt(done: int, total: int) -> None:
        if done > total / 2:
            raise interruption

    with pytest.raises(type(interruption)):
        compile_to(tmp_path / "model", quantization="int8", progress=interrupt)
    assert read_manifest(tmp_path / "model") == first
    verify_files(tmp_path / "model", first)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_full_disk_is_one_clear_line_and_leaves_nothing_behind(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # every write beyond it fails, as on a full disk
    try:
        with pytest.raises(CheckpointError, match=r"failed: .+ Check free space"):
            compile_to(tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_a_compiled_model_is_never_overwritten(tmp_path: Path) -> None:
    precious = tmp_path / "model" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("years of work")
    with pytest.raises(CompiledModelError, match="exists and is not a compiled model"):
        compile_to(precious.parent)
    assert precious.read_text() == "years of work"


def test_a_checkpoint_is_not_overwritten_by_its_own_compilation(tmp_path: Path) -> None:
    compile_to(tmp_path / "model")
    source = shutil.copytree(FIXTURE / "checkpoint", tmp_path / "model" / "checkpoint")
    with pytest.raises(CompiledModelError, match="contains the checkpoint itself"):
        compile_to(tmp_path / "model", source)
    assert source.is_dir()


def test_a_model_that_could_never_be_served_is_not_compiled(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="model_type is 'qwen3', an embedded model is 'bert'"):
        compile_checkpoint(
            FIXTURE / "checkpoint",
            tmp_path / "model",
            quantization="float32",
            prompt_style="embedded",
        )
    for name in ("n" * 181, "../../up", "a b", ".hidden"):
        with pytest.raises(CheckpointError, match="a model cannot be named"):
            compile_to(tmp_path / "model", name=name)
    assert list(tmp_path.iterdir()) == []


def _spoil_vocabulary(folder: Path) -> None:
    tokens = json.loads((folder / "vocabulary.json").read_text())
    (folder / "vocabulary.json").write_text(json.dumps(tokens[:-1]))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.bin").unlink(),
        lambda folder: truncate(folder / "model.bin", 1000),
        lambda folder: (folder / "vocabulary.json").unlink(),
        _spoil_vocabulary,
    ],
    ids=["no weights", "truncated weights", "no vocabulary", "short vocabulary"],
)
def test_a_damaged_compiled_model_does_not_verify(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    compile_to(tmp_path / "model")
    verify_compiled(tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(CompiledModelError, match="Compile checkpoint again") as caught:
        verify_compiled(tmp_path / "model")
    assert "\n" not in str(caught.value)
