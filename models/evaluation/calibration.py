"""Whether probabilities can be trusted: reliability bins, their error, and the temperature that reduces it.

Guo et al., "On Calibration of Modern Neural Networks" (2017): confidence is the probability of the likeliest class.
The error (ECE) is the mean gap between confidence and accuracy over bins of equal width. One temperature, fitted on
held-out rows, divides the logits. For single claims there are a slope and an offset of the logit (Platt, 1999).
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

BINS: Final = 15
_SMALLEST: Final = 1e-12
_DECIMALS: Final = 3
"""A manifest has the temperature with so many decimals, so what is measured here is what will be served."""

Floats = NDArray[np.float64]


class Bin(msgspec.Struct, frozen=True):
    """The rows whose confidence is about `confidence`, and the share of them that were right."""

    rows: int
    confidence: float
    accuracy: float


class Calibration(msgspec.Struct, frozen=True):
    """`ece` is as served, with `served_temperature`. With the fitted `temperature` it would be `ece_fitted`."""

    ece: float
    served_temperature: float
    temperature: float
    ece_fitted: float
    bins: list[Bin]


def reliability(probabilities: Floats, truth: NDArray[np.int64]) -> list[Bin]:
    """The non-empty bins of (rows, classes) `probabilities` against the right class of each row."""
    return binary_reliability(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth)


def binary_reliability(confidence: Floats, right: NDArray[np.bool_]) -> list[Bin]:
    """The non-empty bins of claims, each with its `confidence` and whether it was `right`."""
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        Bin(int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean()))
        for inside in (places == place for place in range(BINS))
        if inside.any()
    ]


def expected_calibration_error(bins: list[Bin]) -> float:
    """The gap between confidence and accuracy, weighted by rows."""
    return sum(each.rows * abs(each.confidence - each.accuracy) for each in bins) / sum(each.rows for each in bins)


def tempered(probabilities: Floats, temperature: float) -> Floats:
    """`probabilities` as they would be if their logits were divided by `temperature` once more."""
    powers = np.clip(probabilities, _SMALLEST, None) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def calibrate(probabilities: Floats, truth: NDArray[np.int64], served_temperature: float = 1.0) -> Calibration:
    """Measure `probabilities`, which come from `served_temperature`, and fit the temperature by likelihood."""

    def loss(logarithm: float) -> float:
        likely = tempered(probabilities, float(np.exp(logarithm)))[np.arange(len(truth)), truth]
        return float(-np.log(np.clip(likely, _SMALLEST, None)).mean())

    fitted = served_temperature * float(np.exp(minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded").x))
    temperature = round(fitted, _DECIMALS)
    factor = temperature / served_temperature
    bins = reliability(probabilities, truth)
    return Calibration(
        ece=expected_calibration_error(bins),
        served_temperature=served_temperature,
        temperature=temperature,
        ece_fitted=expected_calibration_error(reliability(tempered(probabilities, factor), truth)),
        bins=bins,
    )


def fit_platt(probabilities: Floats, right: NDArray[np.bool_]) -> tuple[float, float] | None:
    """The slope and offset of the logit by which the claims' `probabilities` fit best; None if all are alike right."""
    if right.all() or not right.any():
        return None
    kept = np.clip(probabilities, 1e-6, 1 - 1e-6)
    logits = np.log(kept / (1 - kept))

    def loss(parameters: Floats) -> float:
        scores = parameters[0] * logits + parameters[1]
        return float((np.logaddexp(0, scores) - right * scores).mean())

    slope, offset = minimize(loss, np.array([1.0, 0.0])).x
    return round(float(slope), _DECIMALS), round(float(offset), _DECIMALS)
