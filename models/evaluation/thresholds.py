"""Chooses the thresholds of a policy on labelled rows. The targets below may be missed.

All categories that may block share one threshold for review: the highest that still catches `CATCH` of the rows
labelled block. It is never so low that more than `ESCALATE` of the rows labelled allow or block go to review, or more
than `ESCALATE_SAFE` of those labelled allow. Each category then blocks from the lowest probability at which it blocks
no more than `MAY_BLOCK` of the safe rows, or as before if few rows are of that category. A category that never blocks
keeps both thresholds.
"""

from dataclasses import replace
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
FEWEST_ROWS: Final = 500
FEWEST_OF_A_KIND: Final = 50
_FEWEST_OF_A_CATEGORY: Final = 20


class PolicyOutcome(msgspec.Struct, frozen=True):
    """Thresholds, and what becomes of labelled rows under them, as shares.

    `caught` (blocked or sent to review) and `blocked` are shares of the rows labelled block. `over_blocked` and
    `escalated_safe` (sent to review) are shares of those labelled allow, `escalated` of both.
    """

    thresholds: dict[Category, Threshold]
    caught: float
    blocked: float
    escalated: float
    escalated_safe: float
    over_blocked: float
    meets_targets: bool


class TradeOff(msgspec.Struct, frozen=True):
    """Shares if every category that may block went to review, or were blocked, from the same probability.

    `caught` and `escalated` if it is the threshold of review, `blocked` and `over_blocked` if it is that of blocking.
    """

    threshold: float
    caught: float
    escalated: float
    blocked: float
    over_blocked: float


def choose_thresholds(probabilities: Floats, labels: NDArray[np.str_], policy: Policy) -> PolicyOutcome:
    """The choice for `probabilities` of shape (rows, LABELS) and their labels. `policy` is the one in force."""
    block_from = {
        category: _block_from(probabilities, labels, category, limit.block)
        for category, limit in policy.thresholds.items()
        if limit.block <= 1
    }

    def review_from(allow: float) -> Policy:
        chosen = {category: Threshold(allow=min(allow, block), block=block) for category, block in block_from.items()}
        return replace(policy, thresholds={**policy.thresholds, **chosen})

    best = outcome_of(probabilities, labels, review_from(float(_GRID[-1])))
    for allow in _GRID[-2::-1]:
        choice = outcome_of(probabilities, labels, review_from(float(allow)))
        if choice.escalated > ESCALATE or choice.escalated_safe > ESCALATE_SAFE:
            break
        best = choice
        if choice.caught >= CATCH:
            break
    return best


def trade_offs(probabilities: Floats, labels: NDArray[np.str_], policy: Policy) -> list[TradeOff]:
    """The curve along which a threshold can be chosen, from low thresholds to high ones."""
    may_block = [category for category, limit in policy.thresholds.items() if limit.block <= 1]

    def at(threshold: float) -> TradeOff:
        blocking = {category: Threshold(allow=threshold, block=threshold) for category in may_block}
        reviewing = {
            category: Threshold(allow=min(threshold, policy.thresholds[category].block), block=limit.block)
            for category, limit in policy.thresholds.items()
            if category in may_block
        }
        review = outcome_of(probabilities, labels, replace(policy, thresholds={**policy.thresholds, **reviewing}))
        block = outcome_of(probabilities, labels, replace(policy, thresholds={**policy.thresholds, **blocking}))
        return TradeOff(threshold, review.caught, review.escalated, block.blocked, block.over_blocked)

    return [at(float(threshold)) for threshold in _GRID]


def reason_to_refuse(now: PolicyOutcome, chosen: PolicyOutcome, labels: NDArray[np.str_]) -> str | None:
    """Why `chosen` should not replace the policy of `now`, both measured on rows with `labels`. None if it may."""
    rows, violations, safe = len(labels), int(np.equal(labels, "block").sum()), int(np.equal(labels, "allow").sum())
    if rows < FEWEST_ROWS or violations < FEWEST_OF_A_KIND or safe < FEWEST_OF_A_KIND:
        return (
            f"{rows} rows, {violations} of them labelled block and {safe} allow, are too few to choose thresholds: "
            f"{FEWEST_ROWS} are needed, {FEWEST_OF_A_KIND} of each kind"
        )
    if chosen.caught < now.caught:
        return f"it would catch {chosen.caught:.1%} of what should be blocked, where {now.caught:.1%} are now"
    if chosen.over_blocked > max(now.over_blocked, MAY_BLOCK):
        return (
            f"it would block {chosen.over_blocked:.1%} of the safe rows, where {now.over_blocked:.1%} are blocked now"
        )
    if chosen.escalated_safe > now.escalated_safe and chosen.caught == now.caught:
        return (
            f"it would send {chosen.escalated_safe:.1%} of the safe rows to review, where {now.escalated_safe:.1%} "
            "go there now, and catch no more"
        )
    return None


def _block_from(probabilities: Floats, labels: NDArray[np.str_], category: Category, in_force: float) -> float:
    score = probabilities[:, LABELS.index(category)]
    if (score >= 0.5).sum() < _FEWEST_OF_A_CATEGORY:
        return in_force
    safe = score[np.equal(labels, "allow")]
    return next((float(t) for t in _GRID if t >= 0.5 and (safe >= t).mean() <= MAY_BLOCK), float(_GRID[-1]))


def outcome_of(probabilities: Floats, labels: NDArray[np.str_], policy: Policy) -> PolicyOutcome:
    """What becomes of the rows under `policy`."""
    limits = [policy.thresholds[Category(name)] for name in LABELS[1:]]
    unsafe = probabilities[:, 1:]
    blocked = np.any(unsafe >= np.array([limit.block for limit in limits]), axis=1)
    suspicious = np.any(unsafe >= np.array([limit.allow for limit in limits]), axis=1)
    together = unsafe @ np.array([limit.allow <= policy.sum_bound for limit in limits])
    escalated = (suspicious | (together >= policy.sum_bound)) & ~blocked
    violations, safe = np.equal(labels, "block"), np.equal(labels, "allow")
    caught = float((blocked | escalated)[violations].mean()) if violations.any() else 1.0
    share_escalated = float(escalated[violations | safe].mean()) if (violations | safe).any() else 0.0
    return PolicyOutcome(
        thresholds=dict(policy.thresholds),
        caught=caught,
        blocked=float(blocked[violations].mean()) if violations.any() else 1.0,
        escalated=share_escalated,
        escalated_safe=float(escalated[safe].mean()) if safe.any() else 0.0,
        over_blocked=float(blocked[safe].mean()) if safe.any() else 0.0,
        meets_targets=caught >= CATCH and share_escalated <= ESCALATE,
    )
