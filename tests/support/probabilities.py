"""Label probabilities of made-up models."""

import numpy as np
from numpy.typing import NDArray

from sluicegate.models.inference.labels import LABELS


def probabilities(*rows: dict[str, float]) -> NDArray[np.float64]:
    """Label probabilities of shape (rows, LABELS). `allow` has what a row does not give to other labels."""
    return np.array(
        [[row.get(label, 1 - sum(row.values()) if label == "allow" else 0) for label in LABELS] for row in rows]
    )
