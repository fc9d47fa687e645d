"""A linear model in plain Python: the logarithm of the odds is a weighted sum."""

from collections.abc import Sequence
from math import exp

import msgspec


class LinearModel(msgspec.Struct, frozen=True):
    """Weights by the names of the signs, in the order in which `log_odds` takes them."""

    weights: dict[str, float]
    bias: float

    def log_odds(self, signs: Sequence[float]) -> float:
        """The logarithm of the odds for these signs."""
        return self.bias + sum([weight * sign for weight, sign in zip(self.weights.values(), signs, strict=True)])


def probability_of(log_odds: float) -> float:
    """The probability, from 0 to 1."""
    return 1 / (1 + exp(-max(-40.0, min(40.0, log_odds))))
