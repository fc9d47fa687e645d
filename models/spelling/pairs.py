"""Pairs of words that stand beside each other more often than chance has it: of the web, of texts, of our catalogue."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from importlib.resources import files
from itertools import pairwise
from math import log
from typing import Final

from sluicegate.models.spelling.words import words_in
from sluicegate.models.text.word_list import WordList
from sluicegate.models.text.word_pairs import WordPairs

_WEB: Final = "frequency_bigramdictionary_en_243_342.txt"
_WEB_WORDS: Final = 588e9 * 64
"""How many words the counts of that dictionary come from: those of the web corpus times 64."""
_USES: Final = 200
"""Uses in a thousand million words that a pair has of being in a text at all."""
_MOST_USES: Final = 25
_LEAST_GAIN: Final = 1.0


def build_pairs(words: WordList, texts: Iterable[str], *, hidden: Callable[[str], bool] = lambda _: False) -> WordPairs:
    """The pairs of the web and of `texts`. Of the latter, those that are `hidden` are left out."""
    uses = dict(_of_the_web())
    for (left, right), times in _pairs_in(texts).items():
        pair = f"{left} {right}"
        if times > 1 and not hidden(pair):
            uses[left, right] = max(uses.get((left, right), 0.0), float(_USES * min(_MOST_USES, times)))
    gains = {}
    for (left, right), count in uses.items():
        counts = words.known_as(left).count * words.known_as(right).count
        if counts and (gain := log(count) + log(1e9) - log(counts)) >= _LEAST_GAIN:
            gains[left, right] = gain
    return WordPairs.of(gains)


def _of_the_web() -> Iterator[tuple[tuple[str, str], float]]:
    for line in files("symspellpy").joinpath(_WEB).read_text("utf-8-sig").splitlines():
        left, right, count = line.split(" ")
        yield (left, right), int(count) / _WEB_WORDS * 1e9


def _pairs_in(texts: Iterable[str]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for text in texts:
        words = list(words_in(text))
        found.update(pairwise(words))
    return found
