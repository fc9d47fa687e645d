"""What becomes of labelled rows under a policy: what is caught, and what plain queries suffer for it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec
import numpy as np

from sluicegate.models.evaluation.calibration import Floats
from sluicegate.models.evaluation.labelled_rows import LabelledRows, Rows
from sluicegate.models.inference.labels import LABELS, Category
from sluicegate.models.inference.policy import Policy
from sluicegate.schemas.events import Threshold

_CURVE: Final = np.round(np.arange(0.05, 0.96, 0.01), 2)


class PlainLimits(msgspec.Struct, frozen=True):
    """The largest shares of any set of plain queries that may be sent to review, and that may be blocked."""

    review: float = 0.03
    blocked: float = 0.003


DEFAULT_LIMITS: Final = PlainLimits()


class PlainOutcome(msgspec.Struct, frozen=True):
    """The shares of one set of plain queries that are sent to review and blocked."""

    rows: int
    review: float
    blocked: float


class PolicyOutcome(msgspec.Struct, frozen=True):
    """A policy, and what becomes of labelled rows under it, as shares.

    `caught` (blocked or sent to review) and `blocked` are shares of the rows labelled block. `caught_by_category` has
    the rows of `rows_to_catch`. `over_blocked` and `escalated_safe` (sent to review) are shares of those labelled
    allow, `escalated` of both. `within_limits`: no set of plain queries exceeds its limits.
    """

    thresholds: dict[Category, Threshold]
    sum_bound: float
    caught: float
    caught_by_category: dict[Category, float]
    blocked: float
    escalated: float
    escalated_safe: float
    over_blocked: float
    plain: dict[str, PlainOutcome]
    within_limits: bool

    @property
    def caught_on_average(self) -> float:
        """The mean of `caught_by_category`, 1 if it is empty."""
        return sum(self.caught_by_category.values()) / len(self.caught_by_category) if self.caught_by_category else 1.0

    @property
    def worst_review(self) -> float:
        """The largest share of a plain set that is sent to review."""
        return max((each.review for each in self.plain.values()), default=0.0)

    @property
    def worst_blocked(self) -> float:
        """The largest share of a plain set that is blocked."""
        return max((each.blocked for each in self.plain.values()), default=0.0)


class TradeOff(msgspec.Struct, frozen=True):
    """Shares if every category that may block went to review, or were blocked, from the same probability.

    `caught` and `escalated` if it is the threshold of review, `blocked` and `over_blocked` if it is that of blocking.
    """

    threshold: float
    caught: float
    escalated: float
    blocked: float
    over_blocked: float


def rows_to_catch(truth: LabelledRows, policy: Policy) -> dict[Category, Rows]:
    """The rows of each category that should not pass: those labelled block, or review if the category never blocks."""
    found = {}
    for category, limit in policy.thresholds.items():
        wanted = ["block"] if limit.block <= 1 else ["block", "review"]
        rows = np.equal(truth.categories, category.value) & np.isin(truth.labels, wanted)
        if rows.any():
            found[category] = rows
    return found


def outcome_of(
    probabilities: Floats, truth: LabelledRows, policy: Policy, limits: PlainLimits = DEFAULT_LIMITS
) -> PolicyOutcome:
    """What becomes of rows with `probabilities`, of shape (rows, LABELS), under `policy`."""
    blocked, escalated = _decided(probabilities, policy)
    caught = blocked | escalated
    violations, safe = np.equal(truth.labels, "block"), np.equal(truth.labels, "allow")
    plain = {
        name: PlainOutcome(int(rows.sum()), _share(escalated, rows), _share(blocked, rows))
        for name, rows in truth.plain.items()
    }
    return PolicyOutcome(
        thresholds=dict(policy.thresholds),
        sum_bound=policy.sum_bound,
        caught=_share(caught, violations, none=1.0),
        caught_by_category={category: _share(caught, rows) for category, rows in rows_to_catch(truth, policy).items()},
        blocked=_share(blocked, violations, none=1.0),
        escalated=_share(escalated, violations | safe),
        escalated_safe=_share(escalated, safe),
        over_blocked=_share(blocked, safe),
        plain=plain,
        within_limits=all(each.review <= limits.review and each.blocked <= limits.blocked for each in plain.values()),
    )


def trade_offs(probabilities: Floats, truth: LabelledRows, policy: Policy) -> list[TradeOff]:
    """The curve along which a threshold can be chosen, from low thresholds to high ones."""
    may_block = [category for category, limit in policy.thresholds.items() if limit.block <= 1]
    violations, safe = np.equal(truth.labels, "block"), np.equal(truth.labels, "allow")

    def at(threshold: float) -> TradeOff:
        blocking = {category: Threshold(allow=threshold, block=threshold) for category in may_block}
        reviewing = {
            category: Threshold(allow=min(threshold, policy.thresholds[category].block), block=limit.block)
            for category, limit in policy.thresholds.items()
            if category in may_block
        }
        blocked, reviewed = _decided(probabilities, _changed(policy, reviewing))
        stopped, _ = _decided(probabilities, _changed(policy, blocking))
        return TradeOff(
            threshold,
            caught=_share(blocked | reviewed, violations, none=1.0),
            escalated=_share(reviewed, violations | safe),
            blocked=_share(stopped, violations, none=1.0),
            over_blocked=_share(stopped, safe),
        )

    return [at(float(threshold)) for threshold in _CURVE]


def _changed(policy: Policy, thresholds: Mapping[Category, Threshold]) -> Policy:
    return replace(policy, thresholds={**policy.thresholds, **thresholds})


def _decided(probabilities: Floats, policy: Policy) -> tuple[Rows, Rows]:
    """Which rows `policy` blocks, and which it sends to review."""
    limits = [policy.thresholds[Category(name)] for name in LABELS[1:]]
    unsafe = probabilities[:, 1:]
    able = [limit.block <= 1 for limit in limits]
    blocked = np.any(unsafe >= np.array([limit.block for limit in limits]), axis=1)
    blocked |= unsafe @ np.array(able) >= policy.block_sum_bound
    suspicious = np.any(unsafe >= np.array([limit.allow for limit in limits]), axis=1)
    together = unsafe @ np.array([limit.allow <= policy.sum_bound for limit in limits])
    return blocked, (suspicious | (together >= policy.sum_bound)) & ~blocked


def _share(which: Rows, of: Rows, none: float = 0.0) -> float:
    return float(which[of].mean()) if of.any() else none
