"""Which known words are within two edits of an unknown one: SymSpell's index (Garbe, 2012) in one sorted array.

Two words within `n` edits have something in common once at most `n` letters are deleted from each. So every word is
entered under what is left of its first six letters when up to two of them are deleted. A search looks up what is
left of the typed word, and compares it with the words that it finds there. With numpy, an index of 100,000 words takes
a tenth of a second and 16 MB; as a dictionary of Python it took two seconds and hundreds of megabytes.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

MAX_EDITS: Final = 2

_PREFIX: Final = 6
_LETTER_BITS: Final = 5
_WORD_BITS: Final = 32
_WORD_MASK: Final = np.uint64((1 << _WORD_BITS) - 1)
_OTHER: Final = 27
"""The code of every character but a to z: a search may find too much by it, and the comparison drops that."""

_KEPT: Final = [
    [
        tuple(place for place in range(_PREFIX) if place not in deleted)
        for deleted in combinations(range(_PREFIX), count)
    ]
    for count in range(MAX_EDITS + 1)
]
"""By the number of deletions: for each way to delete that many letters of a prefix, the places that are left."""


class NearWords:
    """An index of words. Thread-safe."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)
        self._lengths = np.fromiter(map(len, self._words), np.int32, len(self._words))
        self._index = np.sort(_entries(self._words))

    def within(self, word: str, edits: int) -> list[tuple[str, int]]:
        """The words within `edits` edits of `word`, at most `MAX_EDITS`, each with its distance.

        An edit inserts, deletes or replaces a letter, or swaps two neighbours (optimal string alignment).
        """
        keys = np.array(_keys_of(word, edits), np.uint64) << np.uint64(_WORD_BITS)
        bounds = self._index.searchsorted((keys, keys | _WORD_MASK))
        entries = np.concatenate([self._index[low:high] for low, high in bounds.T.tolist()])
        numbers = np.unique(entries & _WORD_MASK).astype(np.int64)
        near = numbers[np.abs(self._lengths[numbers] - len(word)) <= edits]
        candidates = [self._words[number] for number in near.tolist()]
        found = extract(word, candidates, scorer=OSA.distance, score_cutoff=edits, limit=None)
        return [(candidate, distance) for candidate, distance, _ in found]


def _entries(words: Sequence[str]) -> NDArray[np.uint64]:
    """A key and the number of its word, for every word and every way to delete letters of its prefix."""
    letters = np.array([word[:_PREFIX] for word in words], f"U{_PREFIX}").view(np.uint32).reshape(len(words), _PREFIX)
    columns = np.ascontiguousarray(letters.T)
    codes = np.where((columns >= ord("a")) & (columns <= ord("z")), columns - (ord("a") - 1), _OTHER)
    codes = np.where(columns == 0, 0, codes).astype(np.uint64)
    numbers = np.arange(len(words), dtype=np.uint64)
    entries = []
    for kept in (kept for ways in _KEPT for kept in ways):
        entry = numbers.copy()
        for position, place in enumerate(kept):
            entry |= codes[place] << np.uint64(_LETTER_BITS * (_PREFIX - 1 - position) + _WORD_BITS)
        last_deleted = max(set(range(_PREFIX)).difference(kept), default=0)
        entries.append(entry[columns[last_deleted] != 0])  # a shorter word has nothing to delete there
    return np.concatenate(entries)


def _keys_of(word: str, edits: int) -> list[int]:
    """The keys under which words within `edits` edits of `word` are entered."""
    codes = [ord(letter) - ord("a") + 1 if "a" <= letter <= "z" else _OTHER for letter in word[:_PREFIX]]
    codes += [0] * (_PREFIX - len(codes))
    keys = set()
    for ways in _KEPT[: edits + 1]:
        for kept in ways:
            key = 0
            for place in kept:
                key = key << _LETTER_BITS | codes[place]
            keys.add(key << _LETTER_BITS * (_PREFIX - len(kept)))
    return list(keys)
