"""Synonyms and facets of product queries, each with its probability, from the word list in the model's folder.

    noun         sneakers   sneakers   trainers      kind, words, aisles (split by "|"), synonyms (split by "|")
    colour       navy
    uncoloured   groceries                           an aisle whose goods are not chosen by colour
    calibration  category   0.9   -0.4               a kind of expansion, slope, offset

A query is about an aisle half as far as the model believes so, and half because it is headed by one of the aisle's
nouns; a noun of several aisles counts for each in part. A noun that another word follows, as ``tv`` in ``tv mount``, is
no head and counts half. An expansion is as probable as its aisles, a colour as the aisles that have colours. The logit
of that, times the slope plus the offset of its kind, gives the share of such expansions that are right (Platt, 1999),
as measured on labelled queries. Times the probability of the intent, it is the probability in the event.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
_NO_HEAD: Final = 0.5
"""What a noun counts that does not head the query."""
_AFTER_HEAD: Final = frozenset(
    ("and", "by", "cheap", "for", "from", "in", "near", "of", "on", "or", "over", "sale", "size", "to", "under", "with")
)
"""Words that may follow the head of a query; colours and numbers may too."""


@dataclass(frozen=True)
class Noun:
    """Where a product's name is sold, and what else it is called."""

    aisles: frozenset[str]
    synonyms: tuple[str, ...]


@dataclass(frozen=True)
class Calibration:
    """From a probability as computed to one as measured, by its logit."""

    slope: float
    offset: float

    def of(self, probability: float) -> float:
        """The calibrated probability; 0 and 1 stay as they are."""
        if not 0 < probability < 1:
            return probability
        logit = math.log(probability / (1 - probability))
        return 1 / (1 + math.exp(-(self.slope * logit + self.offset)))


_AS_COMPUTED: Final = Calibration(1.0, 0.0)


class Expansions:
    """A word list. Thread-safe."""

    def __init__(
        self,
        nouns: Mapping[str, Noun],
        colours: frozenset[str],
        uncoloured: frozenset[str] = frozenset(),
        calibrations: Mapping[str, Calibration] = {},
    ) -> None:
        self._nouns = nouns
        self._colours = colours
        self._uncoloured = uncoloured
        self._calibrations = calibrations

    @classmethod
    def load(cls, path: Path) -> "Expansions":
        """Read `path`.

        Raises:
            CompiledModelError: the file cannot be read, or a line is wrong; names the line.
        """
        aisles: dict[str, set[str]] = defaultdict(set)
        synonyms: dict[str, dict[str, None]] = defaultdict(dict)
        colours, uncoloured = set(), set()
        calibrations = {}
        try:
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                match line.split("\t"):
                    case ["colour", colour]:
                        colours.add(colour)
                    case ["uncoloured", aisle]:
                        uncoloured.add(aisle)
                    case ["calibration", kind, slope, offset]:
                        calibrations[kind] = Calibration(float(slope), float(offset))
                    case ["noun", noun, sold, *others] if len(others) <= 1:
                        aisles[noun].update(sold.split("|"))
                        synonyms[noun].update(dict.fromkeys(others[0].split("|") if others else ()))
                    case _:
                        raise CompiledModelError(
                            f"{path}, line {number}: must be `noun`, a noun, its aisles and its synonyms; `colour` "
                            "and a colour; `uncoloured` and an aisle; or `calibration`, a kind, slope and offset; with "
                            f"tabs between; found {line[:60]!r}."
                        )
        except (OSError, ValueError) as error:
            raise CompiledModelError(f"cannot read {path}: {error}. Copy or compile the model again.") from None
        nouns = {noun: Noun(frozenset(aisles[noun]), tuple(synonyms[noun])) for noun in aisles}
        return cls(nouns, frozenset(colours), frozenset(uncoloured), calibrations)

    def of(self, query: str, product: float, aisles: Mapping[str, float]) -> tuple[Expansion, ...]:
        """The expansions of a query, likeliest first.

        `product` is the probability that it looks for a product, `aisles` that of each aisle if it does.
        """
        if product < _LEAST:
            return ()  # none can be more probable than that
        words = query.lower().split()
        spans = list(self._nouns_in(words))
        nouns = [self._nouns[" ".join(words[start:end])] for start, end in spans]
        heads = [self._is_head(words, end) for _, end in spans]
        believed = _with_nouns(aisles, nouns, heads)
        found: dict[tuple[str, str], float] = {}
        for noun, is_head in sorted(zip(nouns, heads, strict=True), key=lambda pair: not pair[1]):
            sold = sum(believed.get(aisle, 0.0) for aisle in noun.aisles) * (1.0 if is_head else _NO_HEAD)
            for synonym in noun.synonyms:
                if synonym not in query.lower():
                    found.setdefault(("synonym", synonym), sold)
        best = max(believed, key=believed.__getitem__, default=None)
        if best is not None:
            found["facet", f"category:{best}"] = believed[best]
        coloured = 1 - sum(believed.get(aisle, 0.0) for aisle in self._uncoloured)
        for colour in self._colours_in(words, spans):
            found["facet", f"colour:{colour}"] = coloured
        named = (
            Expansion(kind=kind, text=text, probability=product * self._calibrated(kind, text, probability))
            for (kind, text), probability in found.items()
        )
        ranked = sorted(named, key=lambda expansion: -expansion.probability)
        return tuple(expansion for expansion in ranked if expansion.probability >= _LEAST)[: 2 * _MOST]

    def _calibrated(self, kind: str, text: str, probability: float) -> float:
        sort = text.partition(":")[0] if kind == "facet" else kind
        return self._calibrations.get(sort, _AS_COMPUTED).of(probability)

    def _nouns_in(self, words: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Where the longest nouns are, from the end: an English noun phrase has its head there."""
        end = len(words)
        while end:
            for length in range(min(_LONGEST_NOUN, end), 0, -1):
                if " ".join(words[end - length : end]) in self._nouns:
                    yield end - length, end
                    end -= length - 1
                    break
            end -= 1

    def _is_head(self, words: Sequence[str], end: int) -> bool:
        """Whether the noun that ends before `end` is what the query looks for."""
        rest = words[end:]
        return (
            not rest
            or rest[0] in _AFTER_HEAD
            or rest[0] in self._colours
            or " ".join(rest[:2]) in self._colours
            or any(letter.isdigit() for letter in rest[0])
        )

    def _colours_in(self, words: Sequence[str], nouns: Sequence[tuple[int, int]]) -> list[str]:
        """The colours of one word or two that are no part of a noun, as ``olive`` is of ``olive oil``."""
        taken = {place for start, end in nouns for place in range(start, end)}
        found: dict[str, None] = {}
        for length in (2, 1):
            for start in range(len(words) - length + 1):
                places = range(start, start + length)
                colour = " ".join(words[start : start + length])
                if colour in self._colours and taken.isdisjoint(places):
                    found[colour] = None
                    taken.update(places)
        return list(found)


def _with_nouns(aisles: Mapping[str, float], nouns: Sequence[Noun], heads: Sequence[bool]) -> dict[str, float]:
    """`aisles` as the model believes, mixed with those of the nouns that head the query, else of the other nouns."""
    if not nouns:
        return dict(aisles)
    weight = 0.5 if any(heads) else 0.5 * _NO_HEAD
    counted = [noun for noun, is_head in zip(nouns, heads, strict=True) if is_head or not any(heads)]
    mixed = {aisle: probability * (1 - weight) for aisle, probability in aisles.items()}
    for noun in counted:
        for aisle in noun.aisles:
            mixed[aisle] = mixed.get(aisle, 0.0) + weight / (len(noun.aisles) * len(counted))
    return mixed
