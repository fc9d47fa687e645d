"""Learning from reviewers: the verdicts of ``queries.reviewed`` as rows that tuning and eval read."""

from collections.abc import Iterable
from typing import Final

import msgspec

from sluicegate.models.data.rows import NONE
from sluicegate.models.finetuning.rows import TaughtRow
from sluicegate.models.inference.labels import Category
from sluicegate.schemas.events import Reviewed

_CATEGORIES: Final = frozenset(Category)


class ReviewedLine(msgspec.Struct, frozen=True):
    """A line that ``sluice tail reviewed`` prints; its other fields are ignored."""

    value: Reviewed


def rows_of(verdicts: Iterable[Reviewed]) -> list[TaughtRow]:
    """A row per distinct query, by its last verdict; one refused without a category of ours teaches nothing.

    An allowed query is labelled allow. A refused one is labelled block, of the reviewer's category or, where he names
    none, of the gate's.
    """
    rows: dict[str, TaughtRow] = {}
    for verdict in verdicts:
        review = verdict.review
        if review is None:  # an appeal against a blocked event: it has no text to learn from
            continue
        query, category = review.query, verdict.category or review.category
        if verdict.allow:
            rows[query] = TaughtRow(query, "allow", NONE, review.intent, f"reviewer:{verdict.reviewer}")
        elif category in _CATEGORIES:
            rows[query] = TaughtRow(query, "block", category, review.intent, f"reviewer:{verdict.reviewer}")
    return list(rows.values())
