"""Choosing a policy's thresholds on labelled rows, against targets that are said aloud and may be missed.

One threshold sends to review, the same for every category that may block: the highest that still catches `CATCH` of the
rows labelled block, but never so low that more than `ESCALATE` of the rows labelled allow or block go to review, or
more than `ESCALATE_SAFE` of those labelled allow. Each category then blocks from the lowest probability at which it
blocks no more than `MAY_BLOCK` of the safe rows; one that the rows say nothing about blocks as it did. A category that
never blocks keeps its thresholds.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sluicegate.models.evaluation.calibration import Floats
from sluicegate.models.inference.labels import LABELS, Category
from sluicegate.models.inference.policy import Policy
from sluicegate.schemas.events import Threshold

CATCH: Final = 0.99
ESCALATE: Final = 0.20
ESCALATE_SAFE: Final = 0.07
MAY_BLOCK: Final = 0.002

_GRID: Final = np.round(np.arange(0.05, 0.96, 0.01), 2)
_FEWEST_ROWS: Final = 20


class ThresholdChoice(msgspec.Struct, frozen=True):
    """The thresholds and what they come to on the rows they were chosen on, as shares.

    `caught` and `blocked` of the rows labelled block, `over_blocked` and `escalated_safe` of those labelled allow,
    `escalated` of both.
    """

    thresholds: dict[Category, Threshold]
    caught: float
    blocked: float
    escalated: float
    escalated_safe: float
    over_blocked: float
    meets_targets: bool


def choose_thresholds(probabilities: Floats, labels: NDArray[np.str_], policy: Policy) -> ThresholdChoice:
    """The choice for (rows, LABELS) `probabilities` of rows labelled allow, review or block; `policy` is in force."""
    block_from = {
        category: _block_from(probabilities, labels, category, limit.block)
        for category, limit in policy.thresholds.items()
        if limit.block <= 1
    }

    def review_from(allow: float) -> dict[Category, Threshold]:
        chosen = {category: Threshold(allow=min(allow, block), block=block) for category, block in block_from.items()}
        return {**policy.thresholds, **chosen}

    best = _outcome(probabilities, labels, review_from(float(_GRID[-1])))
    for allow in _GRID[-2::-1]:
        choice = _outcome(probabilities, labels, review_from(float(allow)))
        if choice.escalated > ESCALATE or choice.escalated_safe > ESCALATE_SAFE:
            break
        best = choice
        if choice.caught >= CATCH:
            break
    return best


def _block_from(probabilities: Floats, labels: NDArray[np.str_], category: Category, in_force: float) -> float:
    score = probabilities[:, LABELS.index(category)]
    if (score >= 0.5).sum() < _FEWEST_ROWS:
        return in_force
    safe = score[np.equal(labels, "allow")]
    return next((float(t) for t in _GRID if t >= 0.5 and (safe >= t).mean() <= MAY_BLOCK), float(_GRID[-1]))


def _outcome(probabilities: Floats, labels: NDArray[np.str_], thresholds: dict[Category, Threshold]) -> ThresholdChoice:
    limits = [thresholds[Category(name)] for name in LABELS[1:]]
    unsafe = probabilities[:, 1:]
    blocked = np.any(unsafe >= np.array([limit.block for limit in limits]), axis=1)
    escalated = np.any(unsafe >= np.array([limit.allow for limit in limits]), axis=1) & ~blocked
    violations, safe = np.equal(labels, "block"), np.equal(labels, "allow")
    caught = float((blocked | escalated)[violations].mean()) if violations.any() else 1.0
    share_escalated = float(escalated[violations | safe].mean()) if (violations | safe).any() else 0.0
    return ThresholdChoice(
        thresholds=thresholds,
        caught=caught,
        blocked=float(blocked[violations].mean()) if violations.any() else 1.0,
        escalated=share_escalated,
        escalated_safe=float(escalated[safe].mean()) if safe.any() else 0.0,
        over_blocked=float(blocked[safe].mean()) if safe.any() else 0.0,
        meets_targets=caught >= CATCH and share_escalated <= ESCALATE,
    )
