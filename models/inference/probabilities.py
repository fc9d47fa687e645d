"""From logits to probabilities."""

import numpy as np
from numpy.typing import NDArray

from sluicegate.models.inference.labels import LABELS
from sluicegate.schemas.errors import EngineFailed


def label_probabilities(logits: NDArray[np.float32], temperature: float) -> list[dict[str, float]]:
    """The probability of each label, in the order of `LABELS`; `logits` is (queries, labels).

    Raises:
        EngineFailed: a logit is not finite.
    """
    tempered = logits / temperature
    if not np.isfinite(tempered).all():
        raise EngineFailed(f"the model's logits are not finite for a batch of {len(logits)}")
    return [dict(zip(LABELS, row, strict=True)) for row in softmax(tempered).tolist()]


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities of each row."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
