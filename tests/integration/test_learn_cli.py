"""`sluice learn`: rows from reviewers' verdicts, and one-line errors when something is missing."""

from importlib.util import find_spec
from pathlib import Path

import orjson
import pytest

from tests.support.command import rows, sluice

STAMP = {
    "event_id": "e",
    "event_time": "2026-01-01T00:00:00Z",
    "processing_time": "2026-01-01T00:00:00Z",
    "model_version": "m",
    "prompt_version": "p",
}
REVIEW = {
    **STAMP,
    "schema": "sluicegate.review",
    "query": "red shoes",
    "lexical": "red shoes",
    "semantic": "red shoes",
    "intent": "product_search",
    "synonyms": [],
    "facets": [],
    "reason_codes": [],
    "degraded": False,
    "context": {},
    "category": "hate",
    "probabilities": {},
    "reason": "r",
}
VERDICT = {**STAMP, "schema": "sluicegate.reviewed", "allow": True, "reviewer": "anna", "review": REVIEW}


def test_verdicts_of_reviewers_become_rows(tmp_path: Path) -> None:
    lines = tmp_path / "reviewed.jsonl"
    lines.write_bytes(orjson.dumps({"topic": "queries.reviewed", "offset": 1, "value": VERDICT}) + b"\n")
    finished = sluice("learn", "reviewed", lines, tmp_path / "rows" / "reviewed.jsonl")
    assert finished.returncode == 0, finished.stderr
    assert orjson.loads((tmp_path / "rows" / "reviewed.jsonl").read_bytes()) == {
        "text": "red shoes",
        "label": "allow",
        "category": "none",
        "domain": "product_search",
        "source": "reviewer:anna",
    }


def test_a_line_that_is_not_a_verdict_is_named(tmp_path: Path) -> None:
    lines = tmp_path / "reviewed.jsonl"
    lines.write_bytes(orjson.dumps({"value": {**VERDICT, "allow": "yes"}}))
    finished = sluice("learn", "reviewed", lines, tmp_path / "rows.jsonl")
    assert (finished.returncode, rows(finished)) == (65, [])
    assert b"line 1" in finished.stderr
    assert b"$.value.allow" in finished.stderr


def test_a_teacher_without_a_key_is_refused_in_one_line(tmp_path: Path) -> None:
    queries = tmp_path / "queries.jsonl"
    queries.write_bytes(b'{"text": "red shoes"}')
    finished = sluice(
        "learn", "teacher", queries, tmp_path / "rows.jsonl", "--model", "m", environment={"OPENAI_API_KEY": ""}
    )
    assert finished.returncode == 78
    assert finished.stderr == b"sluice: no teacher: set OPENAI_API_KEY, to any value if the server needs none\n"


@pytest.mark.parametrize("command", [("teacher", "--model", "m"), ("reviewed",)])
def test_rows_that_cannot_be_written_are_a_one_line_error(tmp_path: Path, command: tuple[str, ...]) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(orjson.dumps({"query": "red shoes", "value": VERDICT}))
    name, *options = command
    out = lines / "rows.jsonl"
    finished = sluice("learn", name, lines, out, *options, environment={"OPENAI_API_KEY": "k"})
    assert finished.returncode == 74
    assert finished.stderr.decode().splitlines() == [f"sluice: cannot write {out}: File exists"]


@pytest.mark.skipif(find_spec("peft") is not None, reason="the extra `train` is installed")
def test_tuning_without_its_extra_says_what_to_install(tmp_path: Path) -> None:
    finished = sluice("learn", "lora", tmp_path, tmp_path / "out", "--data", tmp_path)
    assert finished.returncode == 78
    assert b"In a clone: pip install --editable '.[train]'" in finished.stderr
