"""Which known words are within two edits of an unknown one.

Each word has a mask with a bit for every letter in it. An edit takes at most one letter from a word and brings at most
one. So a comparison of all masks, a tenth of a millisecond with numpy, leaves some hundred words to compare letter by
letter. No index is built: loading takes milliseconds and a megabyte. An index of deletions (SymSpell: Garbe, 2012) took
16 MB and a tenth of a second.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

MAX_EDITS: Final = 2

_END: Final = ord("\n")
_OTHER: Final = 26
"""The bit of every character but a to z: a search may find too much by it, and the comparison drops that."""


class NearWords:
    """Words to search among. Thread-safe."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = sorted(words, key=len)
        self._masks = _masks_of(self._words)
        lengths = np.fromiter(map(len, self._words), np.int32, len(self._words))
        longest = int(lengths[-1]) if len(lengths) else 0
        self._first = np.searchsorted(lengths, np.arange(longest + 2)).tolist()
        """By length, where the words of that length begin."""

    def within(self, word: str, edits: int) -> list[tuple[str, int]]:
        """The words within `edits` edits of `word`, at most `MAX_EDITS`, each with its distance.

        An edit inserts, deletes or replaces a letter, or swaps two neighbours (optimal string alignment).
        """
        mask = _mask_of(word)
        candidates: list[str] = []
        for length in range(max(1, len(word) - edits), min(len(word) + edits + 1, len(self._first) - 1)):
            low, high = self._first[length : length + 2]
            masks = self._masks[low:high]
            longer = length - len(word)  # so many of the edits only bring a letter, or only take one
            may_be_near = np.bitwise_count(mask & ~masks) <= edits - max(0, longer)
            may_be_near &= np.bitwise_count(masks & ~mask) <= edits - max(0, -longer)
            candidates += [self._words[low + place] for place in np.flatnonzero(may_be_near).tolist()]
        found = extract(word, candidates, scorer=OSA.distance, score_cutoff=edits, limit=None)
        return [(candidate, distance) for candidate, distance, _ in found]


def _masks_of(words: Sequence[str]) -> NDArray[np.uint32]:
    if not words:
        return np.zeros(0, np.uint32)
    letters = np.frombuffer("\n".join([*words, ""]).encode("utf-32-le"), np.uint32)
    places = letters - np.uint32(ord("a"))  # wraps round below a
    bits = np.uint32(1) << np.minimum(places, np.uint32(_OTHER))
    bits[letters == _END] = 0
    starts = np.concatenate([[0], np.flatnonzero(letters == _END)[:-1] + 1])
    masks: NDArray[np.uint32] = np.bitwise_or.reduceat(bits, starts)
    return masks


def _mask_of(word: str) -> np.uint32:
    mask = 0
    for letter in word:
        mask |= 1 << (ord(letter) - ord("a") if "a" <= letter <= "z" else _OTHER)
    return np.uint32(mask)
