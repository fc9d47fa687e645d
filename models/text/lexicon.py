"""The words that a model knows how to spell, and the hint: what an unknown word was probably meant to be.

A noisy channel (Kernighan, Church and Gale, 1990): of the words within two edits (`models.text.near_words`), the
hint is the one that is most frequent for how hard the slip is to make. Joined and split words are slips too. The model
decides: a hint is only part of what it reads, see `models.inference.embedded_format`.
"""

import math
import re
from collections.abc import Mapping, Set
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from sluicegate.models.text.keyboard import NEIGHBOURS
from sluicegate.models.text.near_words import MAX_EDITS, NearWords
from sluicegate.schemas.errors import CompiledModelError

LEXICON_FILE: Final = "lexicon.txt"

_SHORT: Final = 4  # letters of the longest word for which only one edit is tried
_LEAST: Final = 4  # letters of the shortest word that is looked up
_LONGEST: Final = 24
_MOST_WORDS: Final = 24
_MOST_UNKNOWN: Final = 4
"""A query with more unknown words is in another language, or does not consist of words."""

_EDIT_COST: Final = 6.0
_EASY: Final = 2.0
_SAME_START: Final = 2.0
"""In nats. Chosen on corrupted product queries and on CLINC150's training rows. Where a suggestion can restore the
word, the first one does for 84 and 83 %; ordered by fewest edits, then by frequency, it did for 81 and 79 %."""


class Lexicon:
    """Words and how often each is used, in parts per thousand million. Thread-safe."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        """`counts` of lower-case words, above zero."""
        self.counts: Final = dict(counts)
        # A function, not a method: a cached method would keep the lexicon in memory until the garbage collector runs.
        look_up = partial(_look_up, self.counts, NearWords(list(self.counts)))
        self._candidates = lru_cache(maxsize=16_384)(look_up)

    @classmethod
    def load(cls, path: Path) -> "Lexicon":
        """Read `path`, a word and its count per line.

        Raises:
            CompiledModelError: the file cannot be read, or a line is wrong; names the line.
        """
        counts: dict[str, int] = {}
        try:
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                word, space, count = line.partition(" ")
                if not (word and space and count.isascii() and count.isdecimal() and int(count) > 0):
                    raise CompiledModelError(
                        f"{path}, line {number}: {line[:60]!r} must be a word in lower case and a count, as `shoes 9`."
                    )
                counts[word] = int(count)
        except (OSError, ValueError) as error:
            raise CompiledModelError(f"cannot read {path}: {error}. Copy or compile the model again.") from None
        return cls(counts)

    def save(self, path: Path) -> None:
        """Write it for `load`."""
        path.write_text("".join(f"{word} {count}\n" for word, count in self.counts.items()), "utf-8")

    def hint(self, query: str, *, hidden: Set[str] = frozenset()) -> str | None:
        """The normalised `query` with its unknown words as they were probably meant; None if that changes nothing.

        `hidden` words count as unknown: training hides some, so that the model sees words that no lexicon has.
        """
        words = query.lower().split(" ")
        if len(words) > _MOST_WORDS:
            return None
        unknown = [place for place, word in enumerate(words) if self._is_unknown(word, hidden)]
        if not 0 < len(unknown) <= _MOST_UNKNOWN:
            return None
        meant: list[str] = []
        place = 0
        while place < len(words):
            word, after = words[place], words[place + 1] if place + 1 < len(words) else ""
            if after and (place in unknown or place + 1 in unknown) and self._knows(word + after, hidden):
                meant.append(word + after)
                place += 2
                continue
            meant.append(self._likeliest(word, hidden) if place in unknown else word)
            place += 1
        suggestion = " ".join(meant)
        return suggestion if suggestion != " ".join(words) else None

    def _is_unknown(self, word: str, hidden: Set[str]) -> bool:
        spelt = _LEAST <= len(word) <= _LONGEST and word.isascii() and word.isalpha() and _VOWEL.search(word)
        return bool(spelt) and not any(self._knows(form, hidden) for form in (word, *_singulars(word)))

    def _knows(self, word: str, hidden: Set[str]) -> bool:
        return word in self.counts and word not in hidden

    def _likeliest(self, word: str, hidden: Set[str]) -> str:
        return next((meant for meant in self._candidates(word) if hidden.isdisjoint(meant.split(" "))), word)


def _look_up(counts: Mapping[str, int], near_words: NearWords, word: str) -> list[str]:
    """What `word` may have been meant to be, likeliest first: words near it, and ways to split it in two."""

    def weight(known: str) -> float:
        return math.log(counts[known] / 1e9)

    near = near_words.within(word, 1)
    if not near and len(word) > _SHORT:  # slower, and the right word is rarely farther than another
        near = near_words.within(word, MAX_EDITS)
    weights = {meant: _slip(word, meant, edits) + weight(meant) for meant, edits in near}
    for cut in range(2, len(word) - 1):
        parts = (word[:cut], word[cut:])
        if all(part in counts for part in parts):
            weights[" ".join(parts)] = _SAME_START + _EASY - _EDIT_COST + sum(map(weight, parts))
    weights.pop(word, None)
    return sorted(weights, key=weights.__getitem__, reverse=True)


_DOUBLE: Final = re.compile(r"(.)\1")
_VOWEL: Final = re.compile("[aeiouy]")


def _singulars(word: str) -> tuple[str, ...]:
    """What `word` is the plural of, if it looks like one."""
    if not word.endswith("s") or word.endswith("ss"):
        return ()
    return (word[:-1], word[:-2]) if word.endswith("es") else (word[:-1],)


def _slip(typed: str, meant: str, edits: int) -> float:
    """How likely `meant` is to be typed as `typed`, as a logarithm up to a constant."""
    easy = (
        _DOUBLE.sub(r"\1", typed) == _DOUBLE.sub(r"\1", meant)
        or sorted(typed) == sorted(meant)
        or _VOWEL.sub("", typed) == _VOWEL.sub("", meant)
        or (
            len(typed) == len(meant)
            and all(a == b or b in NEIGHBOURS.get(a, "") for a, b in zip(typed, meant, strict=True))
        )
    )
    return _EASY * easy + _SAME_START * (typed[0] == meant[0]) - _EDIT_COST * edits
