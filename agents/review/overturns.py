"""What had been decided about a query before people decided it, so that overturned decisions can be counted."""

from dataclasses import dataclass
from typing import Literal

from sluicegate.agents.review.outcomes import LEANING
from sluicegate.schemas.events import Review


@dataclass(frozen=True)
class FirstDecision:
    """The decision that people checked: the gate's leaning, or the block that is appealed against."""

    allow: bool
    by: Literal["gate", "reviewer"]
    category: str
    """Of the review event; `none` where it has none."""


def first_decision(review: Review) -> FirstDecision | None:
    """The first decision about `review`; None where the gate gave no probabilities."""
    category = review.category or "none"
    if review.appeal:
        return FirstDecision(False, "reviewer" if review.appeal.gate == "reviewer" else "gate", category)
    if not review.probabilities:
        return None
    return FirstDecision(review.probabilities.get("allow", 0.0) >= LEANING, "gate", category)
