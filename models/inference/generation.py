"""What the model generated for one query, and the probabilities that its logits give."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluicegate.models.inference.labels import LABELS
from sluicegate.schemas.errors import EngineFailed


@dataclass(frozen=True, slots=True)
class Generation:
    """The tokens that the model wrote for one query, and the logits of each step where they were kept."""

    ids: list[int]
    logits: Sequence[Any]

    def after_verdict(self) -> "Generation":
        """The answer that follows the verdict, which is one token."""
        return Generation(self.ids[1:], self.logits[1:])


def label_probabilities(
    verdicts: Sequence[Generation], label_ids: Sequence[int], temperature: float
) -> list[dict[str, float]]:
    """The probability of each label, in the order of `LABELS`, from the first step of each generation.

    Raises:
        EngineFailed: a logit is not finite.
    """
    columns = list(label_ids)
    logits = np.stack([_row(generation.logits[0])[columns] for generation in verdicts]) / temperature
    if not np.isfinite(logits).all():
        raise EngineFailed(f"the model's logits are not finite for a batch of {len(logits)}")
    return [dict(zip(LABELS, row, strict=True)) for row in _softmax(logits).tolist()]


def probability_of(tokens: Sequence[int], logits: Sequence[Any]) -> float:
    """The probability that the model gives to `tokens`, the product over its steps; `logits` has a row per token."""
    steps = np.stack([_row(step) for step in logits])
    highest = steps.max(axis=1)
    chosen = steps[np.arange(len(tokens)), list(tokens)]
    return float(np.exp((chosen - highest - np.log(np.exp(steps - highest[:, None]).sum(axis=1))).sum()))


def _row(step: Any) -> NDArray[np.float32]:
    """One step's logits as an array, without a copy."""
    return np.asarray(step, np.float32).reshape(-1)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
