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
        query, category = verdict.review.query, verdict.category or verdict.review.category
        if verdict.allow:
            rows[query] = TaughtRow(query, "allow", NONE, verdict.review.intent, f"reviewer:{verdict.reviewer}")
        elif category in _CATEGORIES:
            rows[query] = TaughtRow(query, "block", category, verdict.review.intent, f"reviewer:{verdict.reviewer}")
    return list(rows.values())
