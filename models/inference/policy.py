"""From probabilities to a verdict: two thresholds per category, and nothing else.

0 ──── allow ──────────── review ──────────── block ──── 1
              ▲ Threshold.allow    ▲ Threshold.block
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sluicegate.models.inference.labels import Category
from sluicegate.schemas.events import Threshold
from sluicegate.schemas.reason_codes import BLOCK_THRESHOLD, REVIEW_THRESHOLD, PolicyCode, ReasonCode


class Verdict(StrEnum):
    """What becomes of a query."""

    ALLOW = "allow"
    BLOCK = "block"
    REVIEW = "review"


@dataclass(frozen=True)
class PolicyResult:
    """A verdict with the category and probability that decided it; an allowed query has no category."""

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


@dataclass(frozen=True)
class Policy:
    """The thresholds of every category."""

    thresholds: Mapping[Category, Threshold]

    @classmethod
    def layered(cls, *layers: Mapping[Category, Threshold]) -> "Policy":
        """The defaults, overridden by each of `layers` in turn (a model's manifest, then a setting)."""
        thresholds = dict(DEFAULT_THRESHOLDS)
        for layer in layers:
            thresholds.update(layer)
        return cls(thresholds)

    def judge(self, probabilities: Mapping[str, float]) -> PolicyResult:
        """The ruling for one query's label probabilities (keys: `models.inference.labels.LABELS`)."""
        suspicious = [category for category in Category if probabilities[category] >= self.thresholds[category].allow]
        blocking = [category for category in suspicious if probabilities[category] >= self.thresholds[category].block]
        for found, verdict, reason in (
            (blocking, Verdict.BLOCK, BLOCK_THRESHOLD),
            (suspicious, Verdict.REVIEW, REVIEW_THRESHOLD),
        ):
            if found:
                worst = max(found, key=probabilities.__getitem__)
                return PolicyResult(verdict, worst, probabilities[worst], reason.code(worst))
        return PolicyResult(Verdict.ALLOW, None, probabilities["allow"], PolicyCode.BELOW_EVERY_THRESHOLD)
