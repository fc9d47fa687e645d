"""Rows for training, and the examples that are made of them."""

from pathlib import Path

import orjson
import pytest

from sluicegate.models.artifacts.manifest import PromptStyleName
from sluicegate.models.finetuning.rows import Row, examples_of, is_held_out, read_folder, text_examples
from sluicegate.models.inference.labels import ALLOW, LABELS, Category, Intent
from sluicegate.models.inference.prompts import (
    ALLOW_LETTER,
    HINT,
    INTENT_LETTERS,
    KEEP,
    Answer,
    prompt_style_for,
)
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.schemas.errors import ContractError


def examples(
    tokenizer: QueryTokenizer, *rows: Row, style: PromptStyleName = "zero_shot"
) -> list[tuple[list[int], list[int]]]:
    """Each example as what is asked and what should be said."""
    found = examples_of(rows, style, tokenizer, seed=1, max_query_tokens=96)
    return [(list(example.ids[: example.answer_from]), list(example.ids[example.answer_from :])) for example in found]


def test_an_example_asks_as_the_engine_does_and_its_answer_is_parsed(tokenizer: QueryTokenizer) -> None:
    style = prompt_style_for("zero_shot", tokenizer)
    row = Row(text="red shos", label="block", category="spam", domain="travel", clean="red shoes", synonyms=["pumps"])
    gate, rewrite = examples(tokenizer, row)
    query = style.filled(tokenizer.encode("red shos").tokens)
    for (asked, _), frame in ((gate, style.gate), (rewrite, style.rewrite)):
        assert asked == [tokenizer.id_of(token) for token in (*frame.static, *query, *frame.suffix)]
    assert gate[1][0] == style.label_ids[LABELS.index(Category.SPAM)]
    answer = style.parse(rewrite[1])
    assert (answer.intent, answer.rewrite, answer.synonyms) == (Intent.TRAVEL, "red shoes", ("pumps",))
    assert not answer.codes


def test_an_adapted_model_writes_verdict_action_and_intent_in_one_generation(tokenizer: QueryTokenizer) -> None:
    style = prompt_style_for("adapted", tokenizer)
    row = Row(text="Red Shos", label="allow", domain="travel", clean="Red Shoes", synonyms=["Pumps"])
    ((asked, (verdict, *told)),) = examples(tokenizer, row, style="adapted")
    query = tokenizer.encode("Red Shos").tokens
    assert asked == [tokenizer.id_of(token) for token in (*query, *style.gate.suffix)]
    assert verdict == style.label_ids[LABELS.index(ALLOW)]
    assert style.parse(told) == Answer(Intent.TRAVEL, "red shoes", ("pumps",))
    assert not set(map(tokenizer.id_of, (*style.stops, *style.ends))) & set(told[:-1])


@pytest.mark.parametrize(
    ("row", "rewrite", "synonyms"),
    [
        (Row(text="Red Shoes", domain="travel", clean="Red Shoes", synonyms=["pumps"]), None, ("pumps",)),
        (Row(text="red shos", domain="travel", clean="red shoes"), "red shoes", ()),
        (Row(text="a", domain="travel", clean="a <|IM_END|> b"), "a b", ()),
    ],
)
def test_an_adapted_model_writes_as_text_what_is_neither_right_nor_the_hint(
    tokenizer: QueryTokenizer, row: Row, rewrite: str | None, synonyms: tuple[str, ...]
) -> None:
    style = prompt_style_for("adapted", tokenizer)
    ((asked, told),) = examples(tokenizer, row, style="adapted")
    assert asked[-2:] == [tokenizer.id_of(token) for token in style.rewrite.suffix]
    assert style.parse(told) == Answer(Intent.TRAVEL, rewrite, synonyms)
    assert told[-1] == tokenizer.id_of(INTENT_LETTERS[Intent.TRAVEL])


def test_an_adapted_model_writes_one_token_to_keep_a_query_or_to_take_its_hint(tokenizer: QueryTokenizer) -> None:
    style = prompt_style_for("adapted", tokenizer)
    intent = INTENT_LETTERS[Intent.TRAVEL]
    for typed, clean, action in (
        ("red shoes", "Red Shoes", KEEP),
        ("red shos", "red shoes", HINT),
        ("red shos", "red shos", KEEP),
    ):
        row = Row(text=typed, label="allow", domain="travel", clean=clean)
        (example,) = examples_of(
            [row], "adapted", tokenizer, seed=1, max_query_tokens=96, hint_of=lambda _: "red shoes"
        )
        query, hint = tokenizer.encode(typed).tokens, tokenizer.encode("red shoes").tokens
        expected = [*query, HINT, *hint, *style.gate.suffix, ALLOW_LETTER, action, intent]
        assert list(example.ids) == list(map(tokenizer.id_of, expected))
        assert len(example.ids) - example.answer_from == 3
        assert style.parse(example.ids[-2:]) == Answer(Intent.TRAVEL, None, takes_hint=action == HINT)


def test_an_adapted_model_is_taught_to_end_only_where_the_answer_is_known(tokenizer: QueryTokenizer) -> None:
    style = prompt_style_for("adapted", tokenizer)
    blocked = Row(text="a", label="block", category="spam", domain="travel")
    for row, verdict in ((blocked, Category.SPAM), (Row(text="a", label="allow"), ALLOW)):
        ((_, told),) = examples(tokenizer, row, style="adapted")
        assert told == [style.label_ids[LABELS.index(verdict)]]


def test_what_a_row_says_nothing_about_is_not_taught(tokenizer: QueryTokenizer) -> None:
    assert len(examples(tokenizer, Row(text="a", label="allow"))) == 1
    assert len(examples(tokenizer, Row(text="a", domain="out_of_scope"))) == 1
    assert examples(tokenizer, Row(text="a")) == []
    assert examples(tokenizer, Row(text="\u200b", label="allow")) == []


def test_a_control_token_in_a_row_is_plain_text_in_an_example(tokenizer: QueryTokenizer) -> None:
    row = Row(text="a <|im_end|> b", domain="travel", clean="a <|im_end|> b", synonyms=["<|im_end|>"])
    ((_, told),) = examples(tokenizer, row)
    assert told.count(tokenizer.id_of("<|im_end|>")) == 1


def test_raw_text_is_learnt_from_its_second_token_on(tokenizer: QueryTokenizer) -> None:
    (example,) = text_examples(["the house", ""], tokenizer, max_tokens=5)
    assert (example.answer_from, len(example.ids)) == (1, 5)


def test_a_twentieth_is_held_out_unless_rows_say_which(tokenizer: QueryTokenizer) -> None:
    rows = [Row(text=f"row {number}", label="allow") for number in range(2000)]
    assert 50 < sum(map(is_held_out, rows)) < 150
    assert is_held_out(Row(text="a", split="dev"))
    assert not is_held_out(Row(text="row", split="train"))


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"label": "allow"}, "`text`"),
        ({"text": "a", "label": "no"}, "$.label"),
        ({"text": "a", "label": "block"}, "does not go with category 'none'"),
        ({"text": "a", "domain": "cooking"}, "'cooking' is none of"),
    ],
)
def test_an_invalid_row_is_named_by_file_line_and_field(tmp_path: Path, row: dict[str, str], named: str) -> None:
    (tmp_path / "mine.jsonl").write_bytes(b'{"text": "a", "label": "allow"}\n' + orjson.dumps(row))
    with pytest.raises(ContractError, match=r"mine\.jsonl, line 2") as refused:
        read_folder(tmp_path)
    assert named in str(refused.value)


def test_test_rows_are_not_read_and_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_bytes(b'{"text": "a", "label": "allow", "split": "test"}')
    with pytest.raises(ContractError, match="has no rows"):
        read_folder(tmp_path)
