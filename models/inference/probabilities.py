"""From logits to probabilities."""

import numpy as np
from numpy.typing import NDArray

from sluicegate.models.inference.labels import ALLOW, LABELS, Category
from sluicegate.schemas.errors import EngineFailed


def label_probabilities(logits: NDArray[np.float32], temperature: float) -> list[dict[str, float]]:
    """The probability of each label, in the order of `LABELS`; `logits` is (queries, labels).

    Raises:
        EngineFailed: a logit is not finite.
    """
    return [dict(zip(LABELS, row, strict=True)) for row in finite_softmax(logits, temperature).tolist()]


def finite_softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Probabilities of each row of `logits` divided by `temperature`.

    Raises:
        EngineFailed: a logit is not finite.
    """
    tempered = logits / temperature
    if not np.isfinite(tempered).all():
        raise EngineFailed(f"the model's logits are not finite for a batch of {len(logits)}")
    return softmax(tempered)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities of each row."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def of_text(text: str, probabilities: dict[str, float]) -> dict[str, float]:
    """`probabilities` of the labels that `text` can have: without a letter it has no words, and is at most a number.

    A number may be somebody's, so `personal_data` stays. What the other categories had is added to `allow`.
    """
    if any(map(str.isalpha, text)):
        return probabilities
    number = probabilities[Category.PERSONAL_DATA]
    return dict.fromkeys(LABELS, 0.0) | {ALLOW: 1 - number, Category.PERSONAL_DATA: number}
