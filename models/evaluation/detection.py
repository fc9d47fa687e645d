"""Detection beside over-refusal: what is caught of each category, and what safe rows suffer for it.

Neither means anything alone: a gate that blocks everything catches everything. Both are given for all rows, and for
each source and language, with 95 % intervals.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from sluicegate.models.data.rows import ModerationRow
from sluicegate.models.evaluation.calibration import Floats
from sluicegate.models.evaluation.intervals import Share, share_of
from sluicegate.models.evaluation.labelled_rows import Rows
from sluicegate.models.inference.labels import LABELS, Category
from sluicegate.models.inference.policy import Verdict

ALL_ROWS: Final = "all rows"


class GroupDetection(msgspec.Struct, frozen=True):
    """What became of one group of rows.

    `caught`: blocked or sent to review, of the rows of each category. `reviewed` and `blocked`: of the rows labelled
    allow.
    """

    group: str
    caught: dict[str, Share]
    reviewed: Share
    blocked: Share


class Ranking(msgspec.Struct, frozen=True):
    """How well the probability of `category` tells its rows from the other rows of the same source.

    `auc` is the area under the ROC curve: 0.5 is chance, whatever the share of positive rows. `average_precision` is to
    be compared with that share.
    """

    source: str
    category: str
    positives: int
    negatives: int
    auc: float
    average_precision: float


def detect(rows: Sequence[ModerationRow], verdicts: NDArray[np.str_]) -> list[GroupDetection]:
    """The detection in all rows, in each source, and in each language if there are several."""
    categories = np.array([row.gate_label for row in rows])
    return [
        GroupDetection(
            group,
            caught={
                category.value: _share(verdicts != Verdict.ALLOW, inside & (categories == category.value))
                for category in Category
                if (inside & (categories == category.value)).any()
            },
            reviewed=_share(verdicts == Verdict.REVIEW, inside & (categories == LABELS[0])),
            blocked=_share(verdicts == Verdict.BLOCK, inside & (categories == LABELS[0])),
        )
        for group, inside in _groups(rows)
    ]


def rank(rows: Sequence[ModerationRow], probabilities: Floats) -> list[Ranking]:
    """The ranking of each category in each source that has rows of it and others."""
    categories = np.array([row.gate_label for row in rows])
    sources = np.array([row.source for row in rows])
    found = []
    for source in np.unique(sources):
        inside = np.equal(sources, source)
        for place, category in enumerate(LABELS[1:], 1):
            positive, score = np.equal(categories[inside], category), probabilities[inside, place]
            if 0 < positive.sum() < len(positive):
                found.append(
                    Ranking(
                        str(source),
                        category,
                        positives=int(positive.sum()),
                        negatives=int((~positive).sum()),
                        auc=float(roc_auc_score(positive, score)),
                        average_precision=float(average_precision_score(positive, score)),
                    )
                )
    return found


def _groups(rows: Sequence[ModerationRow]) -> Iterator[tuple[str, Rows]]:
    yield ALL_ROWS, np.ones(len(rows), bool)
    sources, languages = np.array([row.source for row in rows]), np.array([row.lang for row in rows])
    for source in np.unique(sources):
        yield str(source) or "no source", np.equal(sources, source)
    if len(np.unique(languages)) > 1:
        for language in np.unique(languages):
            yield f"language {language or 'unknown'}", np.equal(languages, language)


def _share(which: Rows, of: Rows) -> Share:
    return share_of(int(which[of].sum()), int(of.sum()))
