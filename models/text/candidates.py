"""What an unknown word may have been meant to be: near words, two words run together; each with what speaks for it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Final

from rapidfuzz.distance import OSA

from sluicegate.models.text.meaning import is_other_spelling, turns_meaning
from sluicegate.models.text.near_words import NearWords
from sluicegate.models.text.slip_model import SlipModel

_SHORT: Final = 4  # letters of the longest word for which only one edit is tried
_MOST: Final = 24
_LEAST_COUNT: Final = 100
"""Uses in a thousand million of the rarest word that is searched for: each costs memory and time to load."""
_SHORTEST_PART: Final = 3
_PART_COUNT: Final = 3_000  # uses in a thousand million of the rarest word that a run-together word is split into
_VOWELS: Final = re.compile("[aeiouy]")
_DOUBLE: Final = re.compile(r"(.)\1")


@dataclass(frozen=True)
class Candidate:
    """`text` is a word, or two with a space. `signs` are numbers in the order of `SIGNS`, for the ranker."""

    text: str
    signs: tuple[float, ...]


SIGNS: Final = ("slip", "log_count", "edits", "other_start", "other_end", "sounds_alike", "swapped", "letters", "split")


class CandidateFinder:
    """Finds candidates. Thread-safe."""

    def __init__(self, counts: Mapping[str, int], slip_model: SlipModel) -> None:
        """`counts` of the words that a correction may write."""
        self._counts = counts
        self._slip_model = slip_model
        self._near_words = NearWords([word for word, count in counts.items() if count >= _LEAST_COUNT])

    def find(self, word: str) -> list[Candidate]:
        """The candidates for `word`, in no order."""
        near = self._near_words.within(word, 1 if len(word) <= _SHORT else 2)
        if len(near) > _MOST:
            near = sorted(near, key=lambda each: each[1] - log(self._counts[each[0]]) / 5)[:_MOST]
        found = [
            self._near(word, meant, edits)
            for meant, edits in near
            if not turns_meaning(word, meant) and not is_other_spelling(word, meant)
        ]
        return found + self._splits(word)

    def of(self, word: str, meant: str) -> Candidate | None:
        """The candidate `meant` for `word`; None if it may never be written."""
        if meant not in self._counts or turns_meaning(word, meant):
            return None
        return self._near(word, meant, OSA.distance(word, meant))

    def _near(self, word: str, meant: str, edits: int) -> Candidate:
        sounds_alike = _VOWELS.sub("", _DOUBLE.sub(r"\1", word)) == _VOWELS.sub("", _DOUBLE.sub(r"\1", meant))
        signs = (
            self._slip_model.cost(word, meant),
            log(self._counts[meant]),
            float(edits),
            float(word[0] != meant[0]),
            float(word[-1] != meant[-1]),
            float(sounds_alike),
            float(sorted(word) == sorted(meant)),
            float(len(word)),
            0.0,
        )
        return Candidate(meant, signs)

    def _splits(self, word: str) -> list[Candidate]:
        found = []
        for cut in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1):
            parts = word[:cut], word[cut:]
            rarest = min(self._counts.get(part, 0) for part in parts)
            if rarest >= _PART_COUNT:
                signs = (0.0, log(rarest), 1.0, 0.0, 0.0, 0.0, 0.0, float(len(word)), 1.0)
                found.append(Candidate(" ".join(parts), signs))
        return found
