"""English words and their frequencies, and the lexicon that is made of them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import Final

from sluicegate.models.data.products import catalogue_phrases
from sluicegate.models.text.lexicon import Lexicon

_LEAST_USES: Final = 5  # of a word in the rows; rarer ones are as often misspelt
_WORD: Final = re.compile(r"[a-z]{3,}")


def english_words(limit: int | None = None) -> list[tuple[str, int]]:
    """Words of symspellpy's frequency dictionary with their counts, commonest first."""
    dictionary = files("symspellpy").joinpath("frequency_dictionary_en_82_765.txt").read_text("utf-8-sig")
    pairs = (line.split() for line in dictionary.splitlines()[:limit])
    return [(word, int(count)) for word, count in pairs]


def build_lexicon(rows: Iterable[str]) -> Lexicon:
    """The words of books, of the catalogue with ``words.txt``, and of `rows`, weighted 5 to 4 to 1."""
    recent = files("sluicegate.models.data").joinpath("words.txt").read_text("utf-8")
    catalogue, written = _count([*catalogue_phrases(), recent]), _count(rows)
    for word in [word for word in catalogue if not word.endswith("s")]:
        catalogue[f"{word}s"] += 1  # few nouns of the catalogue are plural; many queries are
    frequent = {word: count for word, count in written.items() if count >= _LEAST_USES}
    weights: Counter[str] = Counter()
    for share, counts in ((0.5, dict(english_words())), (0.4, catalogue), (0.1, frequent)):
        whole = sum(counts.values())
        for word, count in counts.items():
            weights[word] += max(1, round(1e9 * share * count / whole))
    return Lexicon(dict(weights.most_common()))


def _count(texts: Iterable[str]) -> Counter[str]:
    def words() -> Iterator[str]:
        for text in texts:
            yield from _WORD.findall(text.lower())

    return Counter(words())
