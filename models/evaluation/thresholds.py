"""Chooses the thresholds of a policy on labelled rows: those that catch most and leave plain queries alone.

No set of plain queries may have more of its rows blocked, or sent to review, than `PlainLimits` says: the worst set
counts. Within that, the thresholds of blocking are those that block most, and then the thresholds of review, with the
bound on the sum, are those that catch most. Most is a mean over the categories, so that a category of many rows does
not take what the others need. A category of few rows keeps its thresholds, and one that never blocks never will.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sluicegate.models.evaluation.calibration import Floats
from sluicegate.models.evaluation.labelled_rows import LabelledRows, Rows
from sluicegate.models.evaluation.policy_outcome import (
    DEFAULT_LIMITS,
    PlainLimits,
    PolicyOutcome,
    outcome_of,
    rows_to_catch,
)
from sluicegate.models.evaluation.threshold_search import Cuts, Profiles, search_cuts
from sluicegate.models.inference.labels import Category
from sluicegate.models.inference.policy import Policy
from sluicegate.schemas.events import Threshold

FEWEST_ROWS: Final = 500
FEWEST_OF_A_KIND: Final = 50
FEWEST_OF_A_CATEGORY: Final = 20

_CUTS: Final = np.unique(np.append(np.round(1 / (1 + np.exp(-np.linspace(-4.6, 4.6, 140))), 3), 1.0))
"""The thresholds to choose from: 0.01 to 0.99, closer together towards both ends, and 1."""
_TOP: Final = len(_CUTS) - 1
_LEAST_TO_BLOCK: Final = int(np.searchsorted(_CUTS, 0.5))
_SUM_BOUNDS: Final = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def choose_thresholds(
    probabilities: Floats, truth: LabelledRows, policy: Policy, limits: PlainLimits = DEFAULT_LIMITS
) -> PolicyOutcome:
    """The choice for `probabilities` of shape (rows, LABELS). `policy` is the one in force.

    Takes about 5 seconds for 26,000 rows on one core.
    """
    to_catch = {
        category: rows for category, rows in rows_to_catch(truth, policy).items() if rows.sum() >= FEWEST_OF_A_CATEGORY
    }
    if to_catch and truth.plain:
        search = _Search(probabilities, truth, policy, to_catch)
        policy = search.choose(limits)
    return outcome_of(probabilities, truth, policy, limits)


def reason_to_refuse(now: PolicyOutcome, chosen: PolicyOutcome, labels: NDArray[np.str_]) -> str | None:
    """Why `chosen` should not replace the policy of `now`, both measured on rows with `labels`. None if it may."""
    rows, violations, safe = len(labels), int(np.equal(labels, "block").sum()), int(np.equal(labels, "allow").sum())
    if rows < FEWEST_ROWS or violations < FEWEST_OF_A_KIND or safe < FEWEST_OF_A_KIND:
        return (
            f"{rows} rows, {violations} of them labelled block and {safe} allow, are too few to choose thresholds: "
            f"{FEWEST_ROWS} are needed, {FEWEST_OF_A_KIND} of each kind"
        )
    if not chosen.within_limits and chosen.worst_blocked > now.worst_blocked:
        return f"it would block {chosen.worst_blocked:.1%} of plain queries, where {now.worst_blocked:.1%} are now"
    more_review = chosen.worst_review > now.worst_review
    review = f"it would send {chosen.worst_review:.1%} of plain queries to review, where {now.worst_review:.1%} go now"
    if not chosen.within_limits and more_review:
        return review
    if now.within_limits and chosen.caught_on_average < now.caught_on_average:
        return (
            f"it would catch {chosen.caught_on_average:.1%} of what should not pass, where "
            f"{now.caught_on_average:.1%} are now (means over the categories)"
        )
    if more_review and chosen.caught_on_average == now.caught_on_average:
        return f"{review}, and catch no more"
    return None


@dataclass(frozen=True)
class _Cuttable:
    """One category: the `thresholds` that its cuts mean, and the highest cut that each row reaches, or -1."""

    thresholds: Floats
    reached: NDArray[np.int64]

    @classmethod
    def of(cls, probabilities: Floats, in_force: float, *, free: bool) -> "_Cuttable":
        """A category to choose for, or if it is not `free` one with the threshold in force at every cut."""
        if free:
            return cls(_CUTS, np.searchsorted(_CUTS, probabilities, side="right") - 1)
        return cls(np.full(len(_CUTS), in_force), np.where(probabilities >= in_force, _TOP, -1))

    def last_within(self, bound: float) -> int:
        """The highest cut whose threshold is at most `bound`, or -1."""
        return int(np.searchsorted(self.thresholds, bound, side="right")) - 1


class _Search:
    """The rows that matter, and the two searches on them: first what to block, then what to review.

    `to_catch` are the categories whose thresholds are chosen, with the rows that should not pass. Each row that matters
    is of one set: a plain one or a category to catch.
    """

    def __init__(
        self, probabilities: Floats, truth: LabelledRows, policy: Policy, to_catch: Mapping[Category, Rows]
    ) -> None:
        self._policy = policy
        sets = [*truth.plain.values(), *to_catch.values()]
        idle_below = min(_CUTS[0], policy.sum_bound, *(limit.allow for limit in policy.thresholds.values()))
        matter = np.any(sets, axis=0) & (probabilities[:, 1:].sum(axis=1) >= idle_below)
        self._set = np.argmax([rows[matter] for rows in sets], axis=0)
        self._sizes = np.array([rows.sum() for rows in sets])
        self._plain = len(truth.plain)
        self._unsafe = probabilities[matter, 1:].T.copy()
        limits = [policy.thresholds[category] for category in Category]
        self._catchable = [category in to_catch for category in Category]
        self._blockable = [free and limit.block <= 1 for free, limit in zip(self._catchable, limits, strict=True)]
        self._block = [
            _Cuttable.of(row, limit.block, free=free)
            for row, limit, free in zip(self._unsafe, limits, self._blockable, strict=True)
        ]
        self._review = [
            _Cuttable.of(row, limit.allow, free=free)
            for row, limit, free in zip(self._unsafe, limits, self._catchable, strict=True)
        ]
        self._to_block = np.array([policy.thresholds[category].block <= 1 for category in to_catch])

    def choose(self, limits: PlainLimits) -> Policy:
        """The best policy found."""
        block_cuts = self._block_cuts(limits.blocked)
        review_cuts, sum_bound = self._review_cuts(block_cuts, limits.review)
        thresholds = {
            category: Threshold(allow=float(review.thresholds[review_cut]), block=float(block.thresholds[block_cut]))
            for category, block, block_cut, review, review_cut in zip(
                Category, self._block, block_cuts, self._review, review_cuts, strict=True
            )
        }
        return replace(self._policy, thresholds=thresholds, sum_bound=sum_bound)

    def _block_cuts(self, budget: float) -> Cuts:
        highest: Cuts = (_TOP,) * len(self._block)
        if not any(self._blockable):
            return highest
        lowest = [_LEAST_TO_BLOCK if free else _TOP for free in self._blockable]
        nothing = np.zeros(len(self._set), bool)
        profile = partial(self._profile, self._block, blocked=nothing, sum_bound=None, wanted=self._to_block)
        return search_cuts(highest, lowest, profile, budget)

    def _review_cuts(self, highest: Cuts, budget: float) -> tuple[Cuts, float]:
        """The cuts of review, none above that of blocking in `highest`, and the bound on the sum."""
        blocked = np.any([each.reached >= cut for each, cut in zip(self._block, highest, strict=True)], axis=0)
        lowest = [0 if free else cut for free, cut in zip(self._catchable, highest, strict=True)]
        everything = np.ones_like(self._to_block)
        profiles = {
            sum_bound: partial(self._profile, self._review, blocked=blocked, sum_bound=sum_bound, wanted=everything)
            for sum_bound in (self._policy.sum_bound, *_SUM_BOUNDS)
        }
        found = {bound: search_cuts(highest, lowest, profile, budget) for bound, profile in profiles.items()}

        def worth(bound: float) -> tuple[bool, float]:
            cuts = found[bound]
            at = profiles[bound](cuts)
            return bool(at.worst[0, cuts[0]] <= budget), float(at.caught[0, cuts[0]])

        best = max(found, key=worth)
        return found[best], best

    def _profile(
        self,
        categories: Sequence[_Cuttable],
        cuts: Cuts,
        *,
        blocked: Rows,
        sum_bound: float | None,
        wanted: Rows,
    ) -> Profiles:
        """What becomes of the rows that are not `blocked` if one of `cuts` is another."""
        reached = np.array([each.reached >= cut for each, cut in zip(categories, cuts, strict=True)])
        reasons = reached.sum(axis=0) + blocked
        bound = np.inf if sum_bound is None else sum_bound
        summed = np.array([each.thresholds[cut] <= bound for each, cut in zip(categories, cuts, strict=True)])
        together = self._unsafe[summed].sum(axis=0)
        set_of = np.where(blocked & (self._set < self._plain), len(self._sizes), self._set)
        shares = []
        for place, category in enumerate(categories):
            others = together - self._unsafe[place] * summed[place]
            caught_at = np.where((reasons > reached[place]) | (others >= bound), _TOP, category.reached)
            joint = others + self._unsafe[place] >= bound
            caught_at = np.maximum(caught_at, np.where(joint, category.last_within(bound), -1))
            shares.append(self._shares(set_of, caught_at))
        plain, to_catch = np.split(np.array(shares), [self._plain], axis=1)
        worst = plain.max(axis=1)
        return Profiles(to_catch[:, wanted].mean(axis=1), worst, worst + plain.mean(axis=1))

    def _shares(self, set_of: NDArray[np.int64], caught_at: NDArray[np.int64]) -> Floats:
        """The share of each set that is caught at each cut, from the highest cut that catches each row."""
        places = set_of * (_TOP + 2) + caught_at + 1
        counts = np.bincount(places, minlength=(len(self._sizes) + 1) * (_TOP + 2)).reshape(-1, _TOP + 2)
        at_least = counts[:-1, :0:-1].cumsum(axis=1)[:, ::-1]
        shares: Floats = at_least / self._sizes[:, None]
        return shares
