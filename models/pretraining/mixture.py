"""The stream of training examples: permitted rows and generated queries, mixed by fixed shares.

A third to two fifths are unsafe. Within rows, a source weighs as the square root of its size, so that a large one does
not drown the others. Safe examples get the same noise as unsafe ones: no emoji, sign or padding says anything.
"""

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from sluicegate.models.data import safe, unsafe
from sluicegate.models.data.addresses import not_words
from sluicegate.models.data.corruption import EMOJI, corrupt
from sluicegate.models.data.hate_functions import statement
from sluicegate.models.data.junk import junk
from sluicegate.models.data.languages import foreign_request
from sluicegate.models.data.noun_phrases import noun_phrase
from sluicegate.models.data.products import product_query
from sluicegate.models.data.vocabulary import english_words
from sluicegate.models.inference.labels import ALLOW, Category, Intent
from sluicegate.models.pretraining.permitted_rows import (
    Example,
    intent_examples,
    moderation_examples,
    query_examples,
)

_ONSETS: Final = (
    "b",
    "c",
    "d",
    "f",
    "g",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "w",
    "z",
    "sh",
    "th",
    "tr",
)
_CODAS: Final = ("", "", "", "n", "r", "s", "t", "l", "k", "sh", "th")

Draw = Callable[[random.Random], Example]

_PLAIN_WORDS: Final = 40_000
_LONGEST_CORRUPTED_WORDS: Final = 24
_LONGEST_JOINED_WORDS: Final = 7

_WORD_LIST: Final = "surge-profanity"
"""The source of single words that are unsafe by themselves."""

_WEIGHTS: Final = {
    "davidson-2017": 0.5,
    "edos": 0.6,
    "germeval-2018": 0.5,
    "mlc-safety-v0.5": 0.7,
    "hatemoji-build": 2.5,
    "clinc150": 1.6,
}
"""Sources that weigh less than their size says, noisy labels or templates; and more, where nothing else teaches it."""

_MILD_AS_SAFE: Final = 0.35
"""The share of draws in which what is only to review is labelled safe: the model should be unsure of it, not block."""

_SIGNS: Final = ("!", "!!", "?", "??", "...", ".", ",", ":", "-", " - ", "*", "~", "#", "&", "+", "/", "|", '"', "'")
_POLITE: Final = (
    "please", "hi", "hello", "hey", "thanks", "thank you", "could you please", "hi there", "kindly", "quick question",
    "i was wondering", "just curious", "good morning", "asap", "urgent", "for a friend", "for school", "lol", "pls",
    "help", "tell me", "i need to know", "can you help me with this", "thx", "ok", "so", "my question is",
    "anyone know",
)  # fmt: skip


class Mixture:
    """Draws examples. The same seed draws the same ones."""

    def __init__(self, folder: Path) -> None:
        self._unsafe: dict[tuple[str, str], list[Example]] = defaultdict(list)
        self._safe: dict[str, list[Example]] = defaultdict(list)
        for source, example in moderation_examples(folder):
            if example.label != ALLOW:
                if source != _WORD_LIST and " " not in example.text:
                    continue  # what a word means alone, raters of posts did not say
                self._unsafe[source, example.label].append(example)
            elif source not in ("clinc150", "banking77", "wands"):  # better labelled in the other files
                self._safe[source].append(example)
        self._intents: dict[str, list[Example]] = defaultdict(list)
        for source, example in intent_examples(folder):
            self._intents[source].append(example)
        self._queries: dict[str, list[Example]] = defaultdict(list)
        for source, example in query_examples(folder):
            self._queries[source].append(example)
        listed = (rows for (source, _), rows in self._unsafe.items() if source == _WORD_LIST)
        alone = {example.text.lower() for rows in listed for example in rows}
        words = [pair for pair in english_words() if pair[0] not in alone]
        self._single_words = [word for word, _ in words]
        self._single_weights = [count**0.1 for _, count in words]
        plain = [pair for pair in words[:_PLAIN_WORDS] if pair[0] not in unsafe.LOADED_WORDS]
        self._words = [word for word, _ in plain]
        self._word_weights = [count**0.25 for _, count in plain]
        self._draws, self._shares = zip(*self._sources(), strict=True)

    def _sources(self) -> Iterator[tuple[Draw, float]]:
        yield from _weighted({f"{source} {label}": rows for (source, label), rows in self._unsafe.items()}, 23.0)
        yield from _weighted(self._safe, 22.0)
        yield from _weighted(self._intents, 13.0)
        yield from _weighted(self._queries, 9.0)
        for category in Category:
            yield _generated(category), 3.0 if category is Category.ILLICIT else 1.1
        yield _labelled(statement), 6.5
        yield _labelled(noun_phrase), 7.5
        yield _labelled(foreign_request), 7.0
        yield _mild, 1.0
        yield _product, 9.0
        yield self._plain_words, 4.0
        yield self._single_word, 9.0
        yield _made_up_word, 1.5
        yield _safe_text(safe.word_alone, None), 6.0
        yield _safe_text(safe.name, None), 6.5
        yield _safe_text(junk, None), 1.4
        yield _safe_text(safe.navigation, Intent.NAVIGATION), 0.8
        yield _safe_text(safe.support, Intent.SUPPORT), 1.0
        yield _safe_text(safe.other, Intent.OTHER), 1.2
        yield _safe_text(safe.hard_negative, Intent.OTHER), 5.0
        yield _safe_text(safe.question, Intent.OTHER), 5.0
        yield _safe_text(not_words, None), 2.6
        yield _foreign, 1.2

    def _plain_words(self, rng: random.Random) -> Example:
        words = rng.choices(self._words, self._word_weights, k=rng.choice((2, 2, 3, 4)))
        return Example(" ".join(words), ALLOW)

    def _single_word(self, rng: random.Random) -> Example:
        """A word alone is harmless, ``bomb`` too, unless a row says otherwise."""
        return Example(rng.choices(self._single_words, self._single_weights)[0], ALLOW)

    def draw(self, count: int, seed: str) -> list[Example]:
        """`count` examples, each with its noise."""
        rng = random.Random(seed)  # noqa: S311 - reproducible data, not a secret
        return [self._noisy(draw(rng), rng) for draw in rng.choices(self._draws, self._shares, k=count)]

    def _noisy(self, example: Example, rng: random.Random) -> Example:
        text = example.text
        kind = rng.random()
        if kind < 0.10 and text.count(" ") < _LONGEST_CORRUPTED_WORDS:
            text = corrupt(text, rng)
        elif kind < 0.16:
            text = _with_emoji(text, rng)
        elif kind < 0.21:
            text = _with_signs(text, rng)
        elif kind < 0.25:
            text = _polite(text, rng)
        elif kind < 0.30:
            text = self._padded(text, rng)
        elif kind < 0.36 and 1 <= text.count(" ") < _LONGEST_JOINED_WORDS:
            text = _joined(text, rng)
        return Example(text, example.label, example.intent, example.aisle)

    def _padded(self, text: str, rng: random.Random) -> str:
        """`text` among plain words, or among safe queries."""
        if rng.random() < 0.5:
            words = " ".join(rng.choices(self._words, self._word_weights, k=rng.randint(2, 14)))
        else:
            words = " ".join(self._plain_query(rng) for _ in range(rng.randint(1, 3)))
        return f"{words} {text}" if rng.random() < 0.5 else f"{text} {words}"

    def _plain_query(self, rng: random.Random) -> str:
        make = rng.choice((_product_text, safe.support, safe.other, safe.navigation, self._intent_text))
        return make(rng)

    def _intent_text(self, rng: random.Random) -> str:
        return rng.choice(self._intents[rng.choice(list(self._intents))]).text

    def texts(self) -> Iterator[str]:
        """The text of every row that may be drawn, unsafe ones too."""
        for rows in (*self._unsafe.values(), *self._safe.values(), *self._intents.values(), *self._queries.values()):
            yield from (example.text for example in rows)


def _weighted(sources: dict[str, list[Example]], share: float) -> Iterator[tuple[Draw, float]]:
    weights = {name: math.sqrt(len(rows)) * _WEIGHTS.get(name.partition(" ")[0], 1.0) for name, rows in sources.items()}
    whole = sum(weights.values())
    for name, rows in sources.items():
        yield _row_of(rows), share * weights[name] / whole


def _row_of(rows: list[Example]) -> Draw:
    return lambda rng: rng.choice(rows)


def _generated(category: Category) -> Draw:
    return lambda rng: Example(unsafe.unsafe(category, rng), category)


def _safe_text(make: Callable[[random.Random], str], intent: Intent | None) -> Draw:
    return lambda rng: Example(make(rng), ALLOW, intent)


def _made_up_word(rng: random.Random) -> Example:
    """A word that no list has, as names and brands are."""
    syllables = (
        rng.choice(_ONSETS) + rng.choice("aeiou") + rng.choice(_CODAS) for _ in range(rng.choice((2, 2, 2, 3)))
    )
    name = "".join(syllables)
    return Example(rng.choice((name, name, f"{name} {rng.choice(_ONSETS)}{rng.choice('aeiou')}n")), ALLOW)


def _labelled(make: Callable[[random.Random], tuple[str, str]]) -> Draw:
    return lambda rng: Example(*make(rng))


def _mild(rng: random.Random) -> Example:
    return Example(unsafe.mild(rng), ALLOW if rng.random() < _MILD_AS_SAFE else Category.ILLICIT)


def _product_text(rng: random.Random) -> str:
    return product_query(rng).text


def _product(rng: random.Random) -> Example:
    query = product_query(rng)
    aisle = next(facet.partition(":")[2] for facet in query.facets if facet.startswith("category:"))
    return Example(query.text, ALLOW, Intent.PRODUCT_SEARCH, aisle)


def _foreign(rng: random.Random) -> Example:
    text, intent = safe.foreign(rng)
    return Example(text, ALLOW, intent)


def _with_emoji(text: str, rng: random.Random) -> str:
    emoji = rng.choice(EMOJI) * rng.choice((1, 1, 1, 2, 3))
    words = text.split(" ")
    kind = rng.random()
    if kind < 0.35:
        return f"{text} {emoji}"
    if kind < 0.5:
        return f"{emoji} {text}"
    if kind < 0.75:
        return f" {emoji} ".join(words[:12]) + " " + " ".join(words[12:])
    words.insert(rng.randint(0, len(words)), emoji)
    return " ".join(words)


def _with_signs(text: str, rng: random.Random) -> str:
    sign = rng.choice(_SIGNS)
    kind = rng.random()
    if kind < 0.5:
        return text + sign
    if kind < 0.65:
        return sign + text
    if kind < 0.85:
        return sign.join(text.split(" "))
    return f"{sign}{text}{sign}"


def _polite(text: str, rng: random.Random) -> str:
    before = rng.choice(_POLITE) + rng.choice((" ", ", ", "! ")) if rng.random() < 0.7 else ""
    after = rng.choice((" ", ", ", ". ")) + rng.choice(_POLITE) if not before or rng.random() < 0.3 else ""
    return before + text + after


def _joined(text: str, rng: random.Random) -> str:
    """`text` with its words run together, as a hashtag and a hurried thumb write them."""
    words = text.split(" ")
    kind = rng.random()
    if kind < 0.3:
        return "".join(words)
    if kind < 0.65:
        return "#" + "".join(words)
    if kind < 0.8:
        return " ".join(f"#{word}" for word in words)
    if kind < 0.9:
        return "#" + "_".join(words)
    start = rng.randrange(len(words) - 1)
    return " ".join((*words[:start], "".join(words[start : start + 2]), *words[start + 2 :]))
