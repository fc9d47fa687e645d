"""Learning from reviewers: the verdicts of ``queries.reviewed`` as rows for training and evaluation."""

from collections.abc import Iterable
from typing import Final

import msgspec

from sluicegate.models.data.rows import NONE
from sluicegate.models.finetuning.rows import LabelledRow
from sluicegate.models.inference.labels import Category
from sluicegate.schemas.events import Reviewed

_REVIEWER: Final = "reviewer"
_MODELS: Final = (f"{_REVIEWER}:api:", f"{_REVIEWER}:model:")
"""What the source of a row begins with if the reviewer is a model."""
_CATEGORIES: Final = frozenset(Category)


class ReviewedLine(msgspec.Struct, frozen=True):
    """A line that ``sluice tail reviewed`` prints. Its other fields are ignored."""

    value: Reviewed


def rows_of(verdicts: Iterable[Reviewed]) -> list[LabelledRow]:
    """A row per distinct query, by its last verdict; one of people outranks those of models.

    An allowed query is labelled allow, and its lexical query, if it differs, is the correction. A refused one is
    labelled block, with the reviewer's category or, if there is none, the gate's. A review that the model did not
    understand (`degraded`) teaches no domain, and so no spelling. An appeal that was allowed teaches that its query is
    allowed. No row comes from a refusal without a known category, from an appeal that was refused, whose event has no
    text, and from a verdict of the fallback, which nobody has judged.
    """
    rows: dict[str, LabelledRow] = {}
    for verdict in verdicts:
        row = None if verdict.fallback else _row_of(verdict)
        if row and (_is_a_persons(row) or not _is_a_persons(rows.get(row.text))):
            rows[row.text] = row
    return list(rows.values())


def _row_of(verdict: Reviewed) -> LabelledRow | None:
    review, source = verdict.review, f"{_REVIEWER}:{verdict.reviewer}"
    if review is None:
        return LabelledRow(verdict.query, "allow", NONE, source) if verdict.allow and verdict.query else None
    domain = None if review.degraded else review.intent
    if verdict.allow:
        corrected = review.lexical.casefold() != review.query.casefold()
        return LabelledRow(review.query, "allow", NONE, source, domain, review.lexical if corrected else None)
    category = verdict.category or review.category
    return LabelledRow(review.query, "block", category, source, domain) if category in _CATEGORIES else None


def _is_a_persons(row: LabelledRow | None) -> bool:
    """Whether people have decided; a name without a kind is a person's too."""
    return row is not None and not row.source.startswith(_MODELS)
