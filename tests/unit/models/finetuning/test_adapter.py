"""LoRA on a small checkpoint, from rows to an engine that serves the result. Runs where the extra `train` is."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from sluicegate.models.artifacts.manifest import Manifest, PromptStyleName
from sluicegate.models.compiler.compile import compile_checkpoint
from sluicegate.models.formatting.formatter import FormatRequest, Formatted
from sluicegate.models.formatting.guided import GuidedFormatter
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.models.inference.device import Placement
from sluicegate.models.inference.engine import Engine
from sluicegate.schemas.errors import CheckpointError, ContractError
from tests.support.checkpoints import write_checkpoint

pytest.importorskip("peft")
pytest.importorskip("torch")

PLAN: dict[str, Any] = {
    "epochs": 20,
    "batch_size": 16,
    "learning_rate": 1e-2,
    "warmup_steps": 2,
    "measure_every": 10,
    "patience": 50,
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [
        row
        for number in range(60)
        for row in (
            {
                "text": f"the sea {number}",
                "label": "allow",
                "category": "none",
                "split": "train" if number % 8 else "dev",
            },
            {
                "text": f"zz rat {number}",
                "label": "block",
                "category": "spam",
                "split": "train" if number % 8 else "dev",
            },
        )
    ]
    (folder / "rows.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return folder


def compiled(checkpoint: Path, out: Path, adapter: Path | None, profile: PromptStyleName) -> Manifest:
    return compile_checkpoint(
        checkpoint,
        out,
        quantization="float32",
        prompt_style=profile,
        adapter=adapter,
    )


@pytest.mark.parametrize("profile", ["adapted", "zero_shot"])
def test_an_adapter_is_learnt_merged_and_served(tmp_path: Path, data: Path, profile: PromptStyleName) -> None:
    from sluicegate.models.finetuning.adapter import AdapterPlan, train

    checkpoint = tmp_path / "checkpoint"
    write_checkpoint(checkpoint)
    plan = AdapterPlan(**PLAN, prompt_style=profile)
    tuned = train(checkpoint, data, tmp_path / "adapter", plan, texts=["the house on the hill"])
    assert tuned.loss_best < tuned.loss_before
    assert tuned.held_out == 16
    manifest = compiled(checkpoint, tmp_path / "model", tmp_path / "adapter", profile)
    assert manifest.adapter is not None
    engine = Engine(tmp_path / "model")
    safe, spam = engine.judge([engine.encode("the sea 3")])[0], engine.judge([engine.encode("zz rat 3")])[0]
    assert safe.probabilities["allow"] > 0.5 > spam.probabilities["allow"]
    assert spam.probabilities["spam"] > 0.5


def test_a_small_model_learns_to_answer_in_three_tokens_and_when_to_take_the_hint(tmp_path: Path) -> None:
    from sluicegate.models.finetuning.adapter import AdapterPlan, train

    kinds = (
        ("the sea {}", "the sea {}", "travel"),
        ("wireless headphons {}", "wireless headphones {}", "product_search"),
        ("lenovoo bag {}", "lenovoo bag {}", "product_search"),  # the speller would write lenovo
    )
    rows = [
        {
            "text": typed.format(number),
            "label": "allow",
            "clean": clean.format(number),
            "domain": domain,
            "split": "train" if number % 8 else "dev",
        }
        for number in range(60)
        for typed, clean, domain in kinds
    ]
    data = tmp_path / "data"
    data.mkdir()
    (data / "rows.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    checkpoint = write_checkpoint(tmp_path / "checkpoint")
    train(checkpoint, data, tmp_path / "adapter", AdapterPlan(**PLAN))
    compiled(checkpoint, tmp_path / "model", tmp_path / "adapter", "adapted")
    engine = Engine(tmp_path / "model")
    for typed, clean, domain in kinds:
        query = engine.encode(typed.format(88))
        (result,) = engine.judge([query])
        assert (result.lexical, result.intent) == (clean.format(88), domain)
        assert result.output_tokens == 3
        assert (query.hint is None) == (domain == "travel")


def test_it_ends_early_where_nothing_is_gained_and_says_so(tmp_path: Path, data: Path) -> None:
    from sluicegate.models.finetuning.adapter import AdapterPlan, train

    checkpoint = tmp_path / "checkpoint"
    write_checkpoint(checkpoint)
    with pytest.raises(ContractError, match="did not help"):
        train(checkpoint, data, tmp_path / "adapter", AdapterPlan(**{**PLAN, "learning_rate": 0.0, "patience": 1}))


def test_a_folder_that_is_not_a_checkpoint_is_a_one_line_error(tmp_path: Path, data: Path) -> None:
    from sluicegate.models.finetuning.adapter import AdapterPlan, train

    checkpoint = tmp_path / "checkpoint"
    write_checkpoint(checkpoint)
    (checkpoint / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="cannot load"):
        train(checkpoint, data, tmp_path / "adapter", AdapterPlan(**PLAN))


def test_a_formatter_is_learnt_merged_and_fills_in_a_schema(tmp_path: Path) -> None:
    from sluicegate.models.finetuning.adapter import AdapterPlan, train

    schema = {"type": "object", "properties": {"size": {"enum": ["S", "M"]}}, "required": ["size"]}
    rows = [
        {"text": f"the {number}", "schema": schema, "value": {"size": "M"}, "split": "train" if number % 8 else "dev"}
        for number in range(32)
    ]
    data = tmp_path / "data"
    data.mkdir()
    (data / "rows.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    checkpoint = write_checkpoint(tmp_path / "checkpoint")
    plan = AdapterPlan(**PLAN | {"epochs": 10}, prompt_style="formatter")
    tuned = train(checkpoint, data, tmp_path / "adapter", plan)
    assert tuned.loss_best < tuned.loss_before
    compiled(checkpoint, tmp_path / "model", tmp_path / "adapter", "formatter")
    formatter = GuidedFormatter(tmp_path / "model", Placement("cpu", "default", 1, 1))
    [result] = formatter.format([FormatRequest("the 40", FormatSchema.from_json(schema))])
    assert isinstance(result, Formatted)
    assert (result.value, result.prefills) == (b'{"size":"M"}', 1)
