"""Learns the speller's weights: which candidate is the likeliest, and whether it is right."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sluicegate.models.spelling.rows import Row
from sluicegate.models.text.candidates import SIGNS, CandidateFinder
from sluicegate.models.text.ranking import LinearModel
from sluicegate.models.text.speller import JUDGE_SIGNS, Finding, Speller

_RANKED: Final = 8


def learn_ranker(finder: CandidateFinder, pairs: Iterable[tuple[str, str]]) -> LinearModel:
    """Weights by which the meant word of each pair comes before the other candidates.

    A pair of the right candidate and another one is an example: the signs of the two are subtracted.
    """
    signs: list[np.ndarray] = []
    for typed, meant in pairs:
        candidates = finder.find(typed)
        right = next((np.array(each.signs) for each in candidates if each.text == meant), None)
        if right is None:
            continue
        wrong = [np.array(each.signs) for each in candidates if each.text != meant]
        wrong.sort(key=lambda each: each[0] - each[1] / 2)
        signs += [right - each for each in wrong[:_RANKED]]
    differences = np.array(signs)
    scale = differences.std(axis=0)
    scale[scale == 0] = 1
    scaled = np.concatenate([differences / scale, -differences / scale])
    labels = np.repeat([1, 0], len(differences))
    model = LogisticRegression(C=1.0, fit_intercept=False, max_iter=500).fit(scaled, labels)
    return _linear(SIGNS, model.coef_[0] / scale, 0.0)


def learn_judge(examples: Sequence[tuple[tuple[float, ...], bool]]) -> LinearModel:
    """Weights that say how likely a finding with these signs is right."""
    scaler = StandardScaler()
    signs = scaler.fit_transform(np.array([signs for signs, _ in examples]))
    model = LogisticRegression(C=1.0, max_iter=2000).fit(signs, [right for _, right in examples])
    scale = np.where(scaler.scale_ == 0, 1, scaler.scale_)
    coefficients = model.coef_[0] / scale
    return _linear(JUDGE_SIGNS, coefficients, float(model.intercept_[0] - coefficients @ scaler.mean_))


def examples_of(speller: Speller, rows: Iterable[Row]) -> list[tuple[tuple[float, ...], bool]]:
    """Each finding of the speller in `rows`: its signs, and whether it is right."""
    examples = []
    for row in rows:
        tokens, meant = row.typed.split(" "), row.meant.lower()
        for found in speller.findings(row.typed):
            if found.probability is not None:
                continue
            changed = [*tokens[: found.start], found.meant, *tokens[found.end :]]
            right = row.typed != row.meant and _is_right(changed, found, meant)
            examples.append((found.signs, right))
    return examples


def _is_right(changed: Sequence[str], found: Finding, meant: str) -> bool:
    """Whether the word is what was meant: another misspelt word in the query may be left."""
    wanted = meant.split(" ")
    if len(wanted) != len(changed):
        return " ".join(changed).lower() == meant
    return changed[found.start].lower() == wanted[found.start]


def _linear(names: Sequence[str], weights: Sequence[float], bias: float) -> LinearModel:
    rounded = {name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)}
    return LinearModel(rounded, round(bias, 4))
