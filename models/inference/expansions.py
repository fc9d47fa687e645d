"""Synonyms and facets of product queries, each with its probability, from the word list in the model's folder.

    noun     sneakers   sneakers   trainers        kind, words, aisles (split by "|"), synonyms (split by "|")
    colour   navy

A query is about an aisle half as far as the model believes so, and half because one of the aisle's nouns is in it; a
noun of several aisles counts for each in part. An expansion's probability is that of the intent times that of its
aisles: it orders and excludes expansions, and is not calibrated.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from sluicegate.schemas.errors import CompiledModelError
from sluicegate.schemas.events import Expansion

EXPANSIONS_FILE: Final = "expansions.tsv"

USED_FROM: Final = 0.5
"""From this probability on, an expansion is part of the semantic query."""
_LEAST: Final = 0.1
_LONGEST_NOUN: Final = 5  # words
_MOST: Final = 4


@dataclass(frozen=True)
class Noun:
    """Where a product's name is sold, and what else it is called."""

    aisles: frozenset[str]
    synonyms: tuple[str, ...]


class Expansions:
    """A word list. Thread-safe."""

    def __init__(self, nouns: Mapping[str, Noun], colours: frozenset[str]) -> None:
        self._nouns = nouns
        self._colours = colours

    @classmethod
    def load(cls, path: Path) -> "Expansions":
        """Read `path`.

        Raises:
            CompiledModelError: the file cannot be read, or a line is wrong; names the line.
        """
        aisles: dict[str, set[str]] = defaultdict(set)
        synonyms: dict[str, dict[str, None]] = defaultdict(dict)
        colours = set()
        try:
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                match line.split("\t"):
                    case ["colour", colour]:
                        colours.add(colour)
                    case ["noun", noun, sold, *others] if len(others) <= 1:
                        aisles[noun].update(sold.split("|"))
                        synonyms[noun].update(dict.fromkeys(others[0].split("|") if others else ()))
                    case _:
                        raise CompiledModelError(
                            f"{path}, line {number}: must be `colour`, a tab and a colour, or `noun`, a noun, its "
                            f"aisles and its synonyms with tabs between; found {line[:60]!r}."
                        )
        except (OSError, ValueError) as error:
            raise CompiledModelError(f"cannot read {path}: {error}. Copy or compile the model again.") from None
        nouns = {noun: Noun(frozenset(aisles[noun]), tuple(synonyms[noun])) for noun in aisles}
        return cls(nouns, frozenset(colours))

    def of(self, query: str, product: float, aisles: Mapping[str, float]) -> tuple[Expansion, ...]:
        """The expansions of a query, likeliest first.

        `product` is the probability that it looks for a product, `aisles` that of each aisle if it does.
        """
        if product < _LEAST:
            return ()  # none can be more probable than that
        words = query.lower().split()
        nouns = list(self._nouns_in(words))
        believed = _with_nouns(aisles, nouns)
        found: dict[tuple[str, str], float] = {}
        for noun in nouns:
            probability = product * sum(believed.get(aisle, 0.0) for aisle in noun.aisles)
            for synonym in noun.synonyms:
                if synonym not in query.lower():
                    found.setdefault(("synonym", synonym), probability)
        best = max(believed, key=believed.__getitem__, default=None)
        if best is not None:
            found["facet", f"category:{best}"] = product * believed[best]
        for colour in dict.fromkeys(self._colours_in(words)):
            found["facet", f"colour:{colour}"] = product
        ranked = sorted(found.items(), key=lambda entry: -entry[1])
        return tuple(
            Expansion(kind=kind, text=text, probability=probability)
            for (kind, text), probability in ranked
            if probability >= _LEAST
        )[: 2 * _MOST]

    def _nouns_in(self, words: Sequence[str]) -> Iterator[Noun]:
        """The longest nouns, from the end: an English noun phrase has its head there."""
        end = len(words)
        while end:
            for length in range(min(_LONGEST_NOUN, end), 0, -1):
                noun = self._nouns.get(" ".join(words[end - length : end]))
                if noun is not None:
                    yield noun
                    end -= length - 1
                    break
            end -= 1

    def _colours_in(self, words: Sequence[str]) -> Iterator[str]:
        pairs = [" ".join(pair) for pair in pairwise(words)]
        two = [pair for pair in pairs if pair in self._colours]
        yield from two
        yield from (word for word in words if word in self._colours and not any(word in pair.split() for pair in two))


def _with_nouns(aisles: Mapping[str, float], nouns: Sequence[Noun]) -> dict[str, float]:
    """`aisles` as the model believes, mixed in equal parts with those of the nouns that the query has."""
    if not nouns:
        return dict(aisles)
    mixed = {aisle: probability / 2 for aisle, probability in aisles.items()}
    for noun in nouns:
        for aisle in noun.aisles:
            mixed[aisle] = mixed.get(aisle, 0.0) + 1 / (2 * len(noun.aisles) * len(nouns))
    return mixed
