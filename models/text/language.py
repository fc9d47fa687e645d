"""Whether a word or a query is English: letters that follow each other, and words that only other languages have."""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import log
from typing import Final

_EDGE: Final = "_"
_SMOOTHING: Final = 2.0


class LetterModel:
    """How much likelier each three letters are in English than in other languages, as logarithms."""

    def __init__(self, ratios: Mapping[str, float]) -> None:
        self.ratios: Final = dict(ratios)

    @classmethod
    def learn(cls, english: Iterable[str], foreign: Iterable[str]) -> "LetterModel":
        """The model of words of English and of other languages."""
        ours, theirs = _count(english), _count(foreign)
        kinds = ours.keys() | theirs.keys()
        our_sum = ours.total() + _SMOOTHING * len(kinds)
        their_sum = theirs.total() + _SMOOTHING * len(kinds)
        ratios = {
            kind: round(log((ours[kind] + _SMOOTHING) / our_sum) - log((theirs[kind] + _SMOOTHING) / their_sum), 1)
            for kind in sorted(kinds)
        }
        return cls({kind: ratio for kind, ratio in ratios.items() if ratio})

    def englishness(self, word: str) -> float:
        """The mean over the word's letters: above zero looks English, below looks foreign."""
        parts = _trigrams(word)
        ratios = self.ratios
        return sum([ratios.get(part, 0.0) for part in parts]) / len(parts)


def is_english(locale: str | None) -> bool:
    """Whether a user's locale, as `en-GB` or `en_US.UTF-8`, leaves English possible; None does."""
    return locale is None or locale.replace("_", "-").split("-")[0].strip().lower() in ("en", "eng", "english", "")


def _trigrams(word: str) -> list[str]:
    edged = f"{_EDGE}{word}{_EDGE}"
    return [edged[place : place + 3] for place in range(len(edged) - 2)]


def _count(words: Iterable[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for word in words:
        if len(word) > 2:
            counts.update(_trigrams(word))
    return counts
