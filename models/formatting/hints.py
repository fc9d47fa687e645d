"""Which words of a text speak of a property: those of its name, its description, and their usual synonyms."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sluicegate.models.formatting.mentions import Mentions, Span

_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def word_set(text: str) -> frozenset[str]:
    """The words of `text`, which are between spaces."""
    return frozenset(text.split())


_EMPTY: Final = word_set(
    "a an and any are as at be by can each for from has if in is it its list not of on one or that the their these "
    "this to was which whole with without value values field string number optional required iso format"
)
_SYNONYMS: Final = tuple(
    frozenset(group.split())
    for group in (
        "price cost costs amount total sum pay paid fee charge budget worth",
        "quantity qty count pieces units items",
        "name called named",
        "weight weigh weighs kg kilogram kilograms kilo kilos g gram grams lb lbs",
        "length long height high tall width wide depth deep cm mm m km metre metres meter meters inch inches feet ft",
        "duration minutes minute min mins hours hour h days day weeks week nights night",
        "adults adult people persons guests guest",
        "children child kids kid",
        "temperature degrees degree celsius fahrenheit c f",
        "percent percentage discount % rate",
        "start begin begins from check-in checkin departure depart depart leaving arrive arrival since",
        "end ends until till checkout check-out return returning to through by",
        "destination to arrival",
        "origin from departure",
        "city town place location in near venue at",
        "phone telephone tel mobile call cell",
        "email mail e-mail",
        "rating stars star score",
        "size storage gb mb tb",
        "year model",
        "age old aged years",
        "brand make maker manufacturer by",
        "colour color",
        "rooms room bedrooms bedroom",
        "due deadline by before",
    )
)
_DISTANCE: Final = 8
"""How many words away a hint still speaks of a value."""


@dataclass(frozen=True, slots=True)
class Hints:
    """The words that speak of one property, with a weight from 0 to 1."""

    name: tuple[str, ...]
    weights: dict[str, float]

    @classmethod
    def of(cls, name: str, schema: Any) -> "Hints":
        """The hints of the property `name` with its (resolved) `schema`."""
        own = tuple(part.lower() for part in _PARTS.findall(name))
        weights: dict[str, float] = {}
        described = f"{schema.get('title', '')} {schema.get('description', '')}" if isinstance(schema, dict) else ""
        for word in (match.group().lower() for match in re.finditer(r"[^\W_]+", described)):
            if word not in _EMPTY:
                weights[stem(word)] = 0.5
        for word in own:
            for group in _SYNONYMS:
                if word in group:
                    weights |= {stem(other): max(0.7, weights.get(stem(other), 0)) for other in group}
        weights |= {stem(word): 1.0 for word in own if word not in _EMPTY or len(own) == 1}
        return cls(own, weights)

    def labelled(self, mentions: Mentions) -> Span | None:
        """The value of the first ``label: value`` pair whose label is this property's name, or nearly."""
        wanted = {stem(word) for word in self.name}
        for label, value in mentions.labelled:
            words = {stem(word) for word in re.split(r"[\W_]+", label) if word}
            if words and (words == wanted or (words & wanted and len(words ^ wanted) <= 1)):
                return value
        return None

    def nearness(self, mentions: Mentions, start: int, end: int, before: float = 1.0, after: float = 0.9) -> float:
        """How near the words of this property stand to the piece from `start` to `end`, from 0 to 1."""
        words = mentions.words
        first = bisect_right(words, start, key=lambda word: word.end)
        last = bisect_left(words, end, key=lambda word: word.start) - 1
        best = 0.0
        for distance in range(1, _DISTANCE + 1):
            fade = 1 - (distance - 1) / _DISTANCE
            for place, side in ((first - distance, before), (last + distance, after)):
                if 0 <= place < len(words) and not _separated(mentions.text, words, place, first, last):
                    best = max(best, side * fade * self.weights.get(stem(words[place].text.lower()), 0))
        return best


def _separated(text: str, words: Sequence[Span], place: int, first: int, last: int) -> bool:
    """Whether a sentence ends between the word at `place` and the words from `first` to `last`."""
    if place < first:
        between = text[words[place].end : words[first].start if first < len(words) else len(text)]
    else:
        between = text[words[last].end : words[place].start]
    return bool(re.search(r"[.!?;\n](?:\s|$)", between))


def stem(word: str) -> str:
    """`word` without the ending of an English plural."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
