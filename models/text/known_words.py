"""The words that a disguise is undone to: common English words by frequency, and those that people hide."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Final

_MASKS: Final = "*@#$?!~+=^%&"
_PUNCTUATION: Final = "?!~+=^%&"


class KnownWords:
    """Words by how common they are. Immutable."""

    def __init__(self, common: list[str], dangerous: list[str]) -> None:
        """`common` words, most frequent first, and `dangerous` ones; both in lower case."""
        self.ranks: Final[Mapping[str, int]] = {word: rank for rank, word in enumerate(dict.fromkeys(common))}
        self.dangerous: Final = dict.fromkeys(dangerous)
        self._by_shape: dict[tuple[int, str], list[str]] = {}
        for word in self.dangerous:
            self._by_shape.setdefault((len(word), word[0]), []).append(word)

    def __contains__(self, word: str) -> bool:
        return word in self.ranks or word in self.dangerous

    def masked(self, token: str) -> str | None:
        """The first dangerous word that `token` is, but for one or two letters in it that are signs; `f*ck`."""
        if token[-1] in _PUNCTUATION:
            return None
        return next((word for word in self._by_shape.get((len(token), token[0]), ()) if _fits(token, word)), None)

    def segment(self, letters: str) -> list[str] | None:
        """`letters` cut into words, the likeliest way by frequency (Viterbi); None unless most are known."""
        best: list[tuple[float, int]] = [(0.0, 0)]
        for end in range(1, len(letters) + 1):
            ways = [(best[start][0] + self._cost(letters[start:end]), start) for start in range(max(0, end - 20), end)]
            best.append(min(ways))
        words: list[str] = []
        end = len(letters)
        while end:
            start = best[end][1]
            words.append(letters[start:end])
            end = start
        known = sum(len(word) for word in words if word in self)
        return words[::-1] if known >= _MOSTLY * len(letters) else None

    def rarity(self, words: Sequence[str]) -> float:
        """How rare `words` are together, by letter: the lower, the likelier is a run of letters meant to be read so."""
        return sum(map(self._cost, words)) / sum(map(len, words))

    def _cost(self, word: str) -> float:
        rank = self.ranks.get(word, math.inf)
        if rank < _RANK_OF_SHORT.get(len(word), math.inf):
            return math.log(rank + 20)
        return _DANGEROUS_COST if word in self.dangerous else _UNKNOWN_COST + _UNKNOWN_LETTER_COST * len(word)


_RANK_OF_SHORT: Final = {1: 100, 2: 700, 3: 5000}
"""By length, the rank up to which a short word may be part of a run of letters: rarer ones are abbreviations."""
_UNKNOWN_COST: Final = 12.0
_UNKNOWN_LETTER_COST: Final = 4.0
_MOSTLY: Final = 0.7
_DANGEROUS_COST: Final = math.log(20_000)


def _fits(token: str, word: str) -> bool:
    masked = [sign for sign, letter in zip(token, word, strict=True) if sign != letter]
    return 0 < len(masked) <= min(2, len(word) - 2) and all(sign in _MASKS for sign in masked)


@lru_cache(maxsize=1)
def known_words() -> KnownWords:
    """The words of the package."""
    folder = files("sluicegate.models.text")
    common = folder.joinpath("known_words.txt").read_text("utf-8").split()
    lines = folder.joinpath("dangerous_words.txt").read_text("utf-8").splitlines()
    return KnownWords(common, [word for line in lines if not line.startswith("#") for word in line.split()])
