"""What a word may have been meant to be: near words, two words run together; each with what speaks for it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Final

from rapidfuzz.distance import OSA

from sluicegate.models.text.meaning import has_negating_part, is_other_spelling, turns_meaning
from sluicegate.models.text.near_words import NearWords
from sluicegate.models.text.slip_model import SlipModel
from sluicegate.models.text.word_list import WordList

_SHORT: Final = 3  # letters of the longest word for which only one edit is tried
_MOST: Final = 16
_SHORTEST_PART: Final = 2
_PART_COUNT: Final = 3_000  # uses in a thousand million of the rarest word that a run-together word is split into
_SHORT_PART_COUNT: Final = 300_000  # the same for a part of two letters

_SOUNDS: Final = (
    *(("ph", "f"), ("tion", "shn"), ("sion", "shn"), ("cion", "shn"), ("shun", "shn"), ("sch", "$"), ("sh", "$")),
    *(("ch", "$"), ("ough", "f"), ("gh", ""), ("mb", "m"), ("qu", "k"), ("kw", "k"), ("ck", "k"), ("ks", "k")),
    *(("x", "k"), ("ce", "s"), ("ci", "s"), ("cy", "s"), ("th", "t")),
)
_LETTERS: Final = str.maketrans({"c": "k", "q": "k", "z": "s", "j": "g", "v": "w", **dict.fromkeys("aeiouyhw'")})
_DOUBLE: Final = re.compile(r"(.)\1+")


@dataclass(frozen=True)
class Candidate:
    """`text` is a word, or two with a space. `signs` are numbers in the order of `SIGNS`, for the ranker."""

    text: str
    signs: tuple[float, ...]


SIGNS: Final = (
    *("slip", "log_count", "edits", "other_start", "other_end", "sounds_alike", "swapped", "letters", "split"),
    *("left", "right"),
)
"""The last two are how well the word goes with its neighbours; the finder leaves them to its caller."""


class CandidateFinder:
    """Finds candidates. Thread-safe."""

    def __init__(
        self, words: WordList, slip_model: SlipModel, pair_gain: Callable[[str, int, str, int], float]
    ) -> None:
        """`pair_gain`: how much likelier than chance two words stand beside each other, see `WordPairs.gain`."""
        self._words = words
        self._slip_model = slip_model
        self._pair_gain = pair_gain
        self._near_words = NearWords(words.writable())

    def find(self, word: str, edits: int | None = None) -> list[Candidate]:
        """The candidates for `word`, in no order; within `edits`, or as many as are usual for its length."""
        near = self._near_words.within(word, edits or (1 if len(word) <= _SHORT else 2))
        count = self._words.count
        if len(near) > _MOST:
            near = sorted(near, key=lambda each: each[1] - log(count(each[0])) / 5)[:_MOST]
        heard = _heard(word)
        found = [
            self._near(word, heard, meant, edits)
            for meant, edits in near
            if meant != word and not turns_meaning(word, meant) and not is_other_spelling(word, meant)
        ]
        return found + self._splits(word)

    def of(self, word: str, meant: str) -> Candidate | None:
        """The candidate `meant` for `word`; None if it may never be written."""
        if not self._words.count(meant) or turns_meaning(word, meant):
            return None
        return self._near(word, _heard(word), meant, OSA.distance(word, meant))

    def _near(self, word: str, heard: str, meant: str, edits: int) -> Candidate:
        signs = (
            self._slip_model.cost(word, meant),
            log(self._words.count(meant)),
            float(edits),
            float(word[0] != meant[0]),
            float(word[-1] != meant[-1]),
            float(heard == _heard(meant)),
            float(sorted(word) == sorted(meant)),
            float(len(word)),
            0.0,
            0.0,
            0.0,
        )
        return Candidate(meant, signs)

    def _splits(self, word: str) -> list[Candidate]:
        found = []
        for cut in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1):
            parts = word[:cut], word[cut:]
            least = [_PART_COUNT if len(part) > _SHORTEST_PART else _SHORT_PART_COUNT for part in parts]
            counts = [self._words.count(part) for part in parts]
            if counts[0] < least[0] or counts[1] < least[1] or has_negating_part(parts):
                continue
            if (gain := self._pair_gain(parts[0], counts[0], parts[1], counts[1])) > 0:
                signs = (0.0, log(min(counts)), 1.0, 0.0, 0.0, 0.0, 0.0, float(len(word)), 1.0 - gain / 8, 0.0, 0.0)
                found.append(Candidate(" ".join(parts), signs))
        return found


def _heard(word: str) -> str:
    """The consonants of `word` as they sound."""
    if word.startswith(("kn", "wr", "ps")):
        word = word[1:]
    for spelt, heard in _SOUNDS:
        word = word.replace(spelt, heard)
    return _DOUBLE.sub(r"\1", word.translate(_LETTERS))
