"""A compiled model labels queries on this machine."""

from pathlib import Path

import msgspec

from sluicegate.models.finetuning.local_teacher import label_locally
from sluicegate.models.finetuning.rows import LabelledRow
from tests.support.guard_models import compiled_verdict


def rows(out: Path) -> list[LabelledRow]:
    return [msgspec.json.decode(line, type=LabelledRow) for line in out.read_bytes().splitlines()]


def test_each_query_gets_the_verdict_of_the_model_once(tmp_path: Path) -> None:
    guard = compiled_verdict(tmp_path / "guard", {"Unsafe": 9.0}, " Violent")
    out = tmp_path / "rows.jsonl"
    assert label_locally(["one", "two", "one", "\u200b"], out, guard) == 2
    assert [(row.text, row.label, row.category) for row in rows(out)] == [
        ("one", "block", "violence"),
        ("two", "block", "violence"),
    ]
    assert rows(out)[0].source.startswith("guard@")
    assert label_locally(["two", "three"], out, guard) == 1
    assert [row.text for row in rows(out)] == ["one", "two", "three"]


def test_a_query_that_is_unsafe_without_a_category_gets_one_that_the_rows_may_have(tmp_path: Path) -> None:
    guard = compiled_verdict(tmp_path / "guard", {"Controversial": 9.0}, "")
    out = tmp_path / "rows.jsonl"
    label_locally(["one"], out, guard)
    (row,) = rows(out)
    assert row.label == "review"
    assert row.category != "none"
