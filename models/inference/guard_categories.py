"""What Qwen3Guard says, in our terms: three tiers and nine categories of its own, one table.

    Safe           counts as 0          A query is as unsafe as P(Unsafe) + P(Controversial) / 2.
    Controversial  counts as a half     So one that is surely controversial is reviewed and never blocked.
    Unsafe         counts as 1

Source: the model card of Qwen/Qwen3Guard-Gen-0.6B, and arXiv 2510.14276.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sluicegate.models.artifacts.manifest import SensitiveTopics
from sluicegate.models.inference.labels import ALLOW, Category

SAFE: Final = " Safe"
CONTROVERSIAL: Final = " Controversial"
UNSAFE: Final = " Unsafe"
TIERS: Final = (SAFE, CONTROVERSIAL, UNSAFE)
"""As they follow ``Safety:``. The first token of each tells them apart."""

_SENSITIVE: Final = frozenset({"Politically Sensitive Topics", "Copyright Violation"})
"""Reviewed at most: a search for a politician or a film is no offence."""

_CATEGORIES: Final[Mapping[str, Category]] = {
    "Violent": Category.VIOLENCE,
    "Non-violent Illegal Acts": Category.ILLICIT,
    "Sexual Content or Sexual Acts": Category.SEXUAL,
    "PII": Category.PERSONAL_DATA,
    "Suicide & Self-Harm": Category.SELF_HARM,
    "Unethical Acts": Category.HATE,
    "Jailbreak": Category.PROMPT_INJECTION,
    "Politically Sensitive Topics": Category.ILLICIT,
    "Copyright Violation": Category.ILLICIT,
}
"""By their names in the answer. The guard has none for spam, and counts harassment among the unethical acts."""


@dataclass(frozen=True)
class Tiers:
    """The probabilities of the three tiers."""

    safe: float
    controversial: float
    unsafe: float

    @property
    def score(self) -> float:
        """How unsafe the query is, from 0 to 1."""
        return self.unsafe + self.controversial / 2


def named_categories(answer: str) -> list[str] | None:
    """The names that the first line of ``Categories:`` gives. None if one of them is unknown or none is given."""
    names = [name.strip() for name in answer.strip().split("\n", 1)[0].split(",")]
    return names if all(name in _CATEGORIES for name in names) else None


def label_scores(tiers: Tiers, names: Sequence[str] | None, sensitive: SensitiveTopics) -> dict[str, float]:
    """The probability of each of our labels; they sum to 1. `names` are those of the answer, None where it gave none.

    Without names the score is spread over all categories, so that the bounds on their sum decide.
    """
    score = tiers.score
    if names and _SENSITIVE.issuperset(names):
        score = min(score, 0.5) if sensitive == "review" else 0.0
    elif names:
        names = [name for name in names if name not in _SENSITIVE]
    categories = list(dict.fromkeys(_CATEGORIES[name] for name in names)) if names else _SPREAD
    labels = dict.fromkeys((ALLOW, *Category), 0.0)
    labels[ALLOW] = 1 - score
    for category in categories:
        labels[category] = score / len(categories)
    return labels


_SPREAD: Final = list(dict.fromkeys(_CATEGORIES.values()))
