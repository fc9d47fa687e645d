"""From probabilities to a verdict: two thresholds per category, and a bound on all categories together.

0 ──── allow ──────────── review ──────────── block ──── 1
              ▲ Threshold.allow    ▲ Threshold.block

Without the bound, ten categories that each stay below their thresholds would let a query pass that is far more probably
unsafe than safe. For the same reason a query is blocked where the categories that may block reach, together, the
highest of their block thresholds: a request that is surely violent or illicit is unsafe, whichever it is.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import Final

import msgspec

from sluicegate.models.inference.labels import Category
from sluicegate.schemas.events import Threshold
from sluicegate.schemas.reason_codes import BLOCK_THRESHOLD, REVIEW_THRESHOLD, CodeFamily, PolicyCode, ReasonCode


class Verdict(StrEnum):
    """What becomes of a query."""

    ALLOW = "allow"
    BLOCK = "block"
    REVIEW = "review"


SEVERITY: Final[Mapping[Verdict, int]] = {Verdict.ALLOW: 0, Verdict.REVIEW: 1, Verdict.BLOCK: 2}
"""How strict a verdict is, as a number to compare."""


@dataclass(frozen=True)
class PolicyResult:
    """A verdict with the category and probability that decided it.

    An allowed query has no category; `probability` is that of `allow`. A query that is reviewed for the sum of all
    categories has none either; `probability` is that sum. Where a list decided, the category is the list's, and
    `probability` is 1.
    """

    verdict: Verdict
    category: Category | None
    probability: float
    reason: ReasonCode


DEFAULT_THRESHOLDS: Final[Mapping[Category, Threshold]] = {
    Category.HATE: Threshold(allow=0.25, block=0.7),
    Category.HARASSMENT: Threshold(allow=0.4, block=1.1),  # rude is not unsafe: a person or a heavier model decides
    Category.SEXUAL: Threshold(allow=0.25, block=0.7),
    Category.VIOLENCE: Threshold(allow=0.25, block=0.7),
    Category.SELF_HARM: Threshold(allow=0.2, block=0.7),
    Category.ILLICIT: Threshold(allow=0.25, block=0.7),
    Category.SPAM: Threshold(allow=0.4, block=0.8),
    Category.PROMPT_INJECTION: Threshold(allow=0.25, block=0.7),
    Category.PERSONAL_DATA: Threshold(allow=0.4, block=1.1),  # a part number looks like one: never without review
}
"""Used where neither the model's manifest nor a setting says otherwise."""

SUM_BOUND: Final = 0.4
"""The default of `Policy.sum_bound`; a model's manifest records its own.

From this sum of the categories' probabilities on, a query is reviewed. A category that is tolerated at a higher
probability does not count: it is judged alone. With the embedded model the bound sends 0.2 % more of 5,350 moderation
rows to review (9, of which 7 are unsafe), and none of 2,510 product queries. A bound of 0.3 sends 0.6 % more, half of
them harmless.
"""


@dataclass(frozen=True)
class Policy:
    """The thresholds of every category, and the bound on their sum."""

    thresholds: Mapping[Category, Threshold]
    sum_bound: float = SUM_BOUND

    @cached_property
    def summed(self) -> list[Category]:
        """The categories that count towards `sum_bound`."""
        return [category for category, threshold in self.thresholds.items() if threshold.allow <= self.sum_bound]

    @cached_property
    def blockable(self) -> list[Category]:
        """The categories that can block: their sum counts where the model does not know which of them it is."""
        return [category for category, threshold in self.thresholds.items() if threshold.block <= 1]

    @cached_property
    def block_sum_bound(self) -> float:
        """The highest of their thresholds: from this sum of `blockable` on, a query is blocked."""
        return max((self.thresholds[category].block for category in self.blockable), default=math.inf)

    @cached_property
    def version(self) -> str:
        """`policy_version` in events where there is no policy file: a hash of the thresholds and of the bound."""
        content = msgspec.json.encode([self.thresholds, self.sum_bound], order="deterministic")
        return f"model-thresholds@{sha256(content).hexdigest()[:12]}"

    @classmethod
    def layered(cls, *layers: Mapping[Category, Threshold], sum_bound: float = SUM_BOUND) -> "Policy":
        """The defaults, overridden by each of `layers` in turn (a model's manifest, then a setting)."""
        thresholds = dict(DEFAULT_THRESHOLDS)
        for layer in layers:
            thresholds.update(layer)
        return cls(thresholds, sum_bound)

    def judge(self, probabilities: Mapping[str, float]) -> PolicyResult:
        """The verdict for one query's label probabilities (keys: `models.inference.labels.LABELS`)."""
        limits = self.thresholds
        suspicious = [category for category in Category if probabilities[category] >= limits[category].allow]
        blocking = [category for category in suspicious if probabilities[category] >= limits[category].block]
        if blocking:
            return _by_threshold(Verdict.BLOCK, BLOCK_THRESHOLD, blocking, probabilities)
        unsafe = sum(probabilities[category] for category in self.blockable)
        if unsafe >= self.block_sum_bound:
            worst = max(self.blockable, key=probabilities.__getitem__)
            return PolicyResult(Verdict.BLOCK, worst, unsafe, PolicyCode.BLOCK_SUM)
        if suspicious:
            return _by_threshold(Verdict.REVIEW, REVIEW_THRESHOLD, suspicious, probabilities)
        together = sum(probabilities[category] for category in self.summed)
        if together >= self.sum_bound:
            return PolicyResult(Verdict.REVIEW, None, together, PolicyCode.REVIEW_SUM)
        return PolicyResult(Verdict.ALLOW, None, probabilities["allow"], PolicyCode.BELOW_EVERY_THRESHOLD)


def _by_threshold(
    verdict: Verdict, reason: CodeFamily, found: Sequence[Category], probabilities: Mapping[str, float]
) -> PolicyResult:
    worst = max(found, key=probabilities.__getitem__)
    return PolicyResult(verdict, worst, probabilities[worst], reason.code(worst))
