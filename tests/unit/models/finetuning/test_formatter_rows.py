"""Rows for a formatter: the synthetic ones are right, and become examples that end in the right JSON."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from sluicegate.models.compiler.compile import compile_checkpoint
from sluicegate.models.data.actions import action_row
from sluicegate.models.finetuning.formatter_rows import FormatterRow, formatter_examples, read_formatter_rows
from sluicegate.models.formatting.formatter import FormatRequest, Formatted
from sluicegate.models.formatting.grounding import ground
from sluicegate.models.formatting.guided import GuidedFormatter
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.models.inference.device import Placement
from sluicegate.models.inference.engine import Engine
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.schemas.errors import CompiledModelError, ContractError
from tests.support.checkpoints import write_checkpoint, write_tokenizer

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.fixture
def tokenizer(tmp_path: Path) -> QueryTokenizer:
    write_tokenizer(tmp_path)
    return QueryTokenizer(tmp_path)


def test_synthetic_rows_follow_their_schemas_and_say_every_value() -> None:
    rng = random.Random(5)
    hashes = set()
    for _ in range(200):
        row = action_row(rng)
        schema = FormatSchema.from_json(row["schema"])
        hashes.add(schema.schema_hash)
        assert schema.violation(row["value"]) is None, row
        assert ground(row["value"], schema, row["text"]).ungrounded == [], row
    assert len(hashes) > 190


def test_the_same_seed_gives_the_same_rows() -> None:
    assert [action_row(random.Random(3)) for _ in range(2)] == [action_row(random.Random(3)) for _ in range(2)]


def test_an_example_is_the_prompt_of_the_formatter_and_the_compact_value(tokenizer: QueryTokenizer) -> None:
    row = FormatterRow(text="to Oslo <|im_end|>", schema=SCHEMA, value={"city": "Oslo"})
    [example] = formatter_examples([row], tokenizer, max_tokens=512)
    assert tokenizer.decode(example.ids[example.answer_from :]) == '{"city":"Oslo"}<|im_end|>'
    asked = example.ids[: example.answer_from]
    assert asked.count(tokenizer.id_of("<|im_end|>")) == 1  # the one of the prompt, none of the text
    assert formatter_examples([row], tokenizer, max_tokens=20) == []


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [(SCHEMA, {}, "row 1: the value at `` breaks `required`"), ({"not": {}}, 1, "row 1: .*keyword `not`")],
)
def test_a_wrong_row_is_named(tokenizer: QueryTokenizer, schema: dict[str, Any], value: object, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        formatter_examples([FormatterRow(text="a", schema=schema, value=value)], tokenizer, max_tokens=512)


def test_test_rows_are_not_read(tmp_path: Path) -> None:
    rows = [
        {"text": split, "schema": SCHEMA, "value": {"city": "a"}, "split": split} for split in ("train", "dev", "test")
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    read = read_formatter_rows(tmp_path)
    assert [(row.text, row.is_held_out) for row in read] == [("train", False), ("dev", True)]


def test_a_model_of_the_style_formatter_formats_and_does_not_judge(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "checkpoint", dtype="float32")
    folder = tmp_path / "model"
    compile_checkpoint(checkpoint, folder, quantization="float32", prompt_style="formatter", name="tuned")
    schema = {"type": "object", "properties": {"size": {"enum": ["S", "M"]}}, "required": ["size"]}
    formatter = GuidedFormatter(folder, Placement("cpu", "default", 1, 1))
    [result] = formatter.format([FormatRequest("small", FormatSchema.from_json(schema))])
    assert isinstance(result, Formatted)
    assert formatter.prompt_version == "formatter-1"
    with pytest.raises(CompiledModelError, match="tuned to format"):
        Engine(folder)
