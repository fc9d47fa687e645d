"""Rows from reviewers' verdicts."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from sluicegate.models.finetuning.reviewed import rows_of
from sluicegate.models.finetuning.rows import LabelledRow, Row, examples_of
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.schemas.events import Context, Position, Review, Reviewed


def verdict(
    query: str,
    *,
    allow: bool,
    category: str | None = None,
    gate: str | None = None,
    lexical: str | None = None,
    degraded: bool = False,
) -> Reviewed:
    stamp: dict[str, Any] = {
        "event_id": "e",
        "event_time": datetime(2026, 1, 1, tzinfo=UTC),
        "processing_time": datetime(2026, 1, 1, tzinfo=UTC),
        "model_version": "m",
        "prompt_version": "p",
    }
    review = Review(
        **stamp,
        query=query,
        lexical=lexical or query,
        semantic=query,
        intent="travel",
        synonyms=[],
        facets=[],
        reason_codes=[],
        degraded=degraded,
        context=Context(),
        category=gate,
        probabilities={},
        reason="r",
    )
    return Reviewed(**stamp, allow=allow, category=category, reviewer="anna", review=review)


def test_reviewers_verdicts_become_rows_and_the_last_one_counts() -> None:
    rows = rows_of(
        [
            verdict("a", allow=True, category=None, gate="hate"),
            verdict("b", allow=False, category="spam", gate="hate"),
            verdict("c", allow=False, category=None, gate="hate"),
            verdict("d", allow=False, category=None, gate=None),
            verdict("e", allow=True, category=None, gate="hate"),
            verdict("e", allow=False, category="illicit", gate="hate"),
        ]
    )
    assert [(row.text, row.label, row.category) for row in rows] == [
        ("a", "allow", "none"),
        ("b", "block", "spam"),
        ("c", "block", "hate"),
        ("e", "block", "illicit"),
    ]
    assert all(isinstance(row, LabelledRow) and row.source == "reviewer:anna" for row in rows)
    assert all(msgspec.json.decode(msgspec.json.encode(row), type=Row).typed == row.text for row in rows)


def test_a_correction_that_a_reviewer_allowed_is_learnt_and_the_misspelling_is_not_taken_for_right() -> None:
    (row,) = rows_of([verdict("chep shos", allow=True, lexical="cheap shoes")])
    assert (row.text, row.clean, row.domain) == ("chep shos", "cheap shoes", "travel")
    (same,) = rows_of([verdict("Red Shoes", allow=True, lexical="red shoes")])
    assert same.clean is None


def test_an_appeal_that_is_allowed_teaches_its_query_and_overturns_what_was_learnt_before() -> None:
    blocked = Position(topic="queries.blocked", partition=0, offset=7)
    denied = msgspec.structs.replace(verdict("b", allow=False), review=None, blocked=blocked)
    allowed = msgspec.structs.replace(denied, allow=True, query="kill bill", reviewer="people:anna")
    before = msgspec.structs.replace(verdict("kill bill", allow=False, category="violence"), reviewer="people:ben")
    rows = rows_of([before, denied, allowed])
    assert rows == [LabelledRow("kill bill", "allow", "none", "reviewer:people:anna")]


def test_a_person_outranks_a_model_and_the_fallback_teaches_nothing() -> None:
    def by(reviewer: str, *, allow: bool, fallback: str | None = None) -> Reviewed:
        return msgspec.structs.replace(verdict("a", allow=allow, gate="hate"), reviewer=reviewer, fallback=fallback)

    person, model = by("people:anna", allow=True), by("api:large", allow=False)
    assert [row.label for row in rows_of([person, model])] == ["allow"]
    assert [row.label for row in rows_of([model, person])] == ["allow"]
    assert [row.label for row in rows_of([by("model:a", allow=True), model])] == ["block"]
    assert rows_of([by("policy:block", allow=False, fallback="block")]) == []


def test_a_review_without_the_model_teaches_a_verdict_and_no_spelling(tokenizer: QueryTokenizer) -> None:
    (row,) = rows_of([verdict("chep shos", allow=True, degraded=True)])
    assert (row.label, row.domain, row.clean) == ("allow", None, None)
    learnt = msgspec.json.decode(msgspec.json.encode(row), type=Row)
    examples = examples_of([learnt], "zero_shot", tokenizer, seed=1, max_query_tokens=96)
    assert len(examples) == 1  # the verdict
