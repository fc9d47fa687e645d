"""Learns the speller's weights: which candidate is the likeliest, and whether it is right."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np
from rapidfuzz.distance import Levenshtein
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sluicegate.models.spelling.rows import Row
from sluicegate.models.text.candidates import SIGNS, Candidate, CandidateFinder
from sluicegate.models.text.findings import JUDGE_SIGNS, Finder, Finding
from sluicegate.models.text.ranking import LinearModel
from sluicegate.models.text.speller import Speller
from sluicegate.models.text.word_list import WordList

_RANKED: Final = 8
_DOUBTLESS: Final = 0.9
_TYPED: Final = frozenset({"clean request", "clean question", "clean text", "clean shopping"})
"""Correct rows that are no names."""


def learn_ranker(examples: Iterable[tuple[Sequence[Candidate], str]]) -> LinearModel:
    """Weights by which the meant word of each example comes before its other candidates.

    A pair of the right candidate and another one is an example: the signs of the two are subtracted.
    """
    signs: list[np.ndarray] = []
    for candidates, meant in examples:
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


def ranked_examples(
    words: WordList, finder: Finder, candidates: CandidateFinder, rows: Iterable[Row]
) -> Iterator[tuple[list[Candidate], str]]:
    """The candidates for the one misspelt word of each row, beside its neighbours, and what was meant."""
    for row in rows:
        typed, meant = row.typed.lower().split(" "), row.meant.lower().split(" ")
        start = next((n for n, (a, b) in enumerate(zip(typed, meant, strict=False)) if a != b), 0)
        after = len(typed) - start - 1
        middle = meant[start : len(meant) - after]
        if typed[start + 1 :] != meant[len(meant) - after :] or not 1 <= len(middle) <= 2 or not typed[start].isalpha():
            continue
        entries = [words.known_as(word) for word in typed]
        found = [
            Candidate(each.text, (*each.signs[:-2], *finder.gains(typed, entries, start, each.text)))
            for each in candidates.find(typed[start])
        ]
        yield found, " ".join(middle)


@dataclass(frozen=True)
class Example:
    """A finding for the judge: its signs, whether it is right, and whether it may be right against what the row says.

    The last is so for an unknown word of a text that people typed: it is taken for correct, but some are misspelt.
    """

    signs: tuple[float, ...]
    right: bool
    may_be_misspelt: bool = False


def learn_judge(examples: Sequence[Example]) -> LinearModel:
    """Weights that say how likely a finding with these signs is right.

    It learns twice: the second time without the findings in correct texts that the first judge is nearly sure of. Most
    of these are misspelt.
    """
    first = _logistic([(example.signs, example.right) for example in examples])
    doubtless = log(_DOUBTLESS / (1 - _DOUBTLESS))
    kept = [each for each in examples if not each.may_be_misspelt or first.log_odds(each.signs) < doubtless]
    return _logistic([(example.signs, example.right) for example in kept])


def _logistic(examples: Sequence[tuple[tuple[float, ...], bool]]) -> LinearModel:
    scaler = StandardScaler()
    signs = scaler.fit_transform(np.array([signs for signs, _ in examples]))
    model = LogisticRegression(C=1.0, max_iter=2000).fit(signs, [right for _, right in examples])
    scale = np.where(scaler.scale_ == 0, 1, scaler.scale_)
    coefficients = model.coef_[0] / scale
    return _linear(JUDGE_SIGNS, coefficients, float(model.intercept_[0] - coefficients @ scaler.mean_))


def examples_of(speller: Speller, rows: Iterable[Row], misspellings: Mapping[str, str]) -> list[Example]:
    """Each finding of the speller in `rows`. Known `misspellings` in correct rows are left out."""
    examples = []
    for row in rows:
        tokens, meant = row.typed.split(" "), row.meant.lower()
        is_typed = row.kind in _TYPED
        for found in speller.findings(row.typed):
            typed = tokens[found.start].lower()
            if found.probability is not None or (is_typed and misspellings.get(typed) == found.meant.lower()):
                continue
            changed = " ".join([*tokens[: found.start], found.meant, *tokens[found.end :]])
            unlisted = not any(found.signs[JUDGE_SIGNS.index(sign)] for sign in ("rare", "known", "foreign"))
            right = _is_right(row.typed, changed, found, meant)
            examples.append(Example(found.signs, right, is_typed and unlisted))
    return examples


def _is_right(typed: str, changed: str, found: Finding, meant: str) -> bool:
    """Whether the word is what was meant: another misspelt word in the query may be left."""
    if f" {found.meant.lower()} " not in f" {meant} ":
        return False
    return Levenshtein.distance(changed.lower(), meant) < Levenshtein.distance(typed.lower(), meant)


def _linear(names: Sequence[str], weights: Sequence[float], bias: float) -> LinearModel:
    rounded = {name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)}
    return LinearModel(rounded, round(bias, 4))
