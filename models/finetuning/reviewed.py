"""Learning from reviewers: the verdicts of ``queries.reviewed`` as rows for training and evaluation."""

from collections.abc import Iterable
from typing import Final

import msgspec

from sluicegate.models.data.rows import NONE
from sluicegate.models.finetuning.rows import LabelledRow
from sluicegate.models.inference.labels import Category
from sluicegate.schemas.events import Reviewed

_CATEGORIES: Final = frozenset(Category)


class ReviewedLine(msgspec.Struct, frozen=True):
    """A line that ``sluice tail reviewed`` prints. Its other fields are ignored."""

    value: Reviewed


def rows_of(verdicts: Iterable[Reviewed]) -> list[LabelledRow]:
    """A row per distinct query, by its last verdict. A refusal without a known category gives no row.

    An allowed query is labelled allow, and its lexical query, if it differs, is the correction. A refused one is
    labelled block, with the reviewer's category or, if there is none, the gate's. A review that the model did not
    understand (`degraded`) teaches no domain, and so no spelling.
    """
    rows: dict[str, LabelledRow] = {}
    for verdict in verdicts:
        review, source = verdict.review, f"reviewer:{verdict.reviewer}"
        if review is None:  # an appeal against a blocked event: it has no text to learn from
            continue
        category = verdict.category or review.category
        domain = None if review.degraded else review.intent
        if verdict.allow:
            corrected = review.lexical.casefold() != review.query.casefold()
            clean = review.lexical if corrected else None
            rows[review.query] = LabelledRow(review.query, "allow", NONE, source, domain, clean)
        elif category in _CATEGORIES:
            rows[review.query] = LabelledRow(review.query, "block", category, source, domain)
    return list(rows.values())
