"""What the embedded model learns from: permitted rows of a data folder, and our generators, mixed by fixed shares.

The folder holds JSON Lines files, each row with its `licence`:

    moderation_train.jsonl   text, label (allow, review, block), category, source
    intents.jsonl            text, domain, split, source          (rows of split "train" are used)
    queries.jsonl            query, facets, source

Rows whose licence forbids commercial use, or states none, are left out: see `PERMITTED_LICENCES`.
"""

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson

from sluicegate.models.data import safe, unsafe
from sluicegate.models.data.corruption import corrupt, dress
from sluicegate.models.data.products import product_query
from sluicegate.models.data.vocabulary import english_words
from sluicegate.models.inference.embedded_format import END, FACETS, HINT, KEEP, REWRITE, SYNONYM
from sluicegate.models.inference.labels import ALLOW, Category, Intent
from sluicegate.models.text.lexicon import Lexicon
from sluicegate.models.text.normalise import normalise

PERMITTED_LICENCES: Final = frozenset({"MIT", "CC-BY-3.0", "CC-BY-4.0"})

_LONGEST_REWRITE_WORDS: Final = 24
"""Longer queries are messages, not searches: they are not corrupted."""

_SHARE_DRESSED: Final = 0.04
_PLAIN_WORDS: Final = 25_000

_SHARE_HIDDEN: Final = 0.12
_COMMON: Final = 20_000
"""A word with at least this many uses in a thousand million is in every lexicon."""


@dataclass(frozen=True)
class Example:
    """One query with everything the model should say about it; an unsafe one has only its label."""

    text: str
    label: str
    intent: Intent = Intent.OTHER
    rewrite: str | None = None
    """The clean query, or None if `text` is clean."""
    synonyms: tuple[str, ...] = ()
    facets: tuple[str, ...] = ()
    """Each ``kind:value``, of the kinds in `FACETS`."""
    hint: str | None = None
    """The lexicon's correction of `text`, right or wrong."""


def answer(example: Example) -> str:
    """What the model should say after ``<|gate|>``, as text with control tokens."""
    if example.label != ALLOW:
        return f"<|{example.label}|>"
    if example.rewrite is None:
        rewrite = KEEP
    else:
        rewrite = HINT if example.rewrite == example.hint else REWRITE + example.rewrite
    synonyms = "".join(SYNONYM + synonym for synonym in example.synonyms)
    facets = "".join(FACETS[kind] + value for kind, _, value in (facet.partition(":") for facet in example.facets))
    return f"<|{ALLOW}|><|intent:{example.intent}|>{rewrite}{synonyms}{facets}{END}"


def spoken(example: Example) -> tuple[str, ...]:
    """The words of an example as they are meant; the vocabulary should hold them."""
    return (example.rewrite or example.text, *example.synonyms, *(facet.partition(":")[2] for facet in example.facets))


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSON Lines file whose licence permits commercial use."""
    with path.open("rb") as lines:
        for line in lines:
            row = orjson.loads(line)
            if row["licence"] in PERMITTED_LICENCES:
                yield row


class Mixture:
    """Draws examples: first a source by its share, then a row of it or a generated query, then perhaps a corruption."""

    def __init__(self, folder: Path) -> None:
        plain = [
            pair for pair in english_words(_PLAIN_WORDS) if len(pair[0]) >= 3 and pair[0] not in unsafe.LOADED_WORDS
        ]
        self._words = [word for word, _ in plain]
        self._word_weights = [math.sqrt(count) for _, count in plain]
        self._unsafe_rows: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._safe_rows: dict[str, list[Example]] = defaultdict(list)
        self._read_moderation(folder / "moderation_train.jsonl")
        self._read_intents(folder / "intents.jsonl")
        self._read_queries(folder / "queries.jsonl")
        sources = self._sources()
        self._draws = [draw for _, draw in sources]
        self._shares = [share for share, _ in sources]

    def _read_moderation(self, path: Path) -> None:
        for row in read_rows(path):
            text = normalise(row["text"]).text
            if row["label"] != ALLOW:
                self._unsafe_rows[row["source"], row["category"]].append(text)
            elif row["source"] not in ("clinc150", "banking77", "wands"):  # better labelled in the other two files
                self._safe_rows[row["source"]].append(Example(text, ALLOW))

    def _read_intents(self, path: Path) -> None:
        for row in read_rows(path):
            if row["split"] == "train":
                intent = Intent.OTHER if row["domain"] == "out_of_scope" else Intent(row["domain"])
                self._safe_rows[row["source"]].append(Example(normalise(row["text"]).text.lower(), ALLOW, intent))

    def _read_queries(self, path: Path) -> None:
        for row in read_rows(path):
            facets = tuple(f"category:{facet.lower()}" for facet in row["facets"][-1:])
            self._safe_rows[row["source"]].append(
                Example(normalise(row["query"]).text.lower(), ALLOW, Intent.PRODUCT_SEARCH, facets=facets)
            )

    def _sources(self) -> list[tuple[float, Callable[[random.Random], Example]]]:
        def unsafe_row(source: str, category: Category) -> Callable[[random.Random], Example]:
            rows = self._unsafe_rows[source, category]
            return lambda rng: Example(_noisy(rng.choice(rows), rng, 0.2), category)

        def generated(category: Category) -> Callable[[random.Random], Example]:
            return lambda rng: Example(_noisy(unsafe.unsafe(category, rng), rng, 0.3), category)

        def safe_row(source: str, share_corrupted: float) -> Callable[[random.Random], Example]:
            rows = self._safe_rows[source]
            return lambda rng: _maybe_corrupted(rng.choice(rows), rng, share_corrupted)

        def safe_text(make: Callable[[random.Random], str], intent: Intent) -> Callable[[random.Random], Example]:
            return lambda rng: _maybe_corrupted(Example(make(rng), ALLOW, intent), rng, 0.4)

        shares: list[tuple[float, Callable[[random.Random], Example]]] = [
            (8.0, unsafe_row("davidson-2017", Category.HARASSMENT)),
            (4.5, unsafe_row("davidson-2017", Category.HATE)),
            (4.0, unsafe_row("advbench", Category.ILLICIT)),
            *((0.4, unsafe_row("openai-moderation-eval", category)) for category in list(Category)[:5]),
            *((1.8, generated(category)) for category in Category if category is not Category.ILLICIT),
            (6.5, generated(Category.ILLICIT)),
            (5.0, safe_row("davidson-2017", 0.0)),
            (1.5, safe_row("openai-moderation-eval", 0.0)),
            (17.0, safe_row("clinc150", 0.5)),
            (6.0, safe_row("banking77", 0.4)),
            (1.5, safe_row("wands", 0.5)),
            (24.0, _product),
            (10.0, self._plain_words),
            (1.5, safe_text(safe.navigation, Intent.NAVIGATION)),
            (2.5, safe_text(safe.support, Intent.SUPPORT)),
            (4.0, safe_text(safe.other, Intent.OTHER)),
            (8.0, safe_text(safe.hard_negative, Intent.OTHER)),
            (2.0, _foreign),
        ]
        return shares

    def _plain_words(self, rng: random.Random) -> Example:
        words = rng.choices(self._words, self._word_weights, k=rng.choice((1, 2, 2, 3, 3, 4)))
        return _maybe_corrupted(Example(" ".join(words), ALLOW), rng, 0.65)

    def draw(self, count: int, seed: str) -> list[Example]:
        """`count` examples; the same `seed` draws the same ones."""
        rng = random.Random(seed)  # noqa: S311 - reproducible data, not a secret
        return [draw(rng) for draw in rng.choices(self._draws, self._shares, k=count)]

    def texts(self) -> Iterator[str]:
        """The text of every row that may be drawn, unsafe ones too."""
        for texts in self._unsafe_rows.values():
            yield from texts
        for examples in self._safe_rows.values():
            yield from (example.text for example in examples)


def with_hint(example: Example, lexicon: Lexicon, rng: random.Random) -> Example:
    """`example` with the lexicon's hint. Some rare words are hidden from the lexicon, as new words will be."""
    hidden = {
        word
        for word in (example.rewrite or example.text).split(" ")
        if lexicon.counts.get(word, 0) < _COMMON and rng.random() < _SHARE_HIDDEN
    }
    return replace(example, hint=lexicon.hint(example.text, hidden=hidden))


def _noisy(text: str, rng: random.Random, share: float) -> str:
    return corrupt(text, rng) if rng.random() < share else text


def _maybe_corrupted(example: Example, rng: random.Random, share: float) -> Example:
    words = example.text.count(" ") + 1
    if words > _LONGEST_REWRITE_WORDS:
        return example
    corrupted = corrupt(example.text, rng) if rng.random() < share else example.text
    if rng.random() < _SHARE_DRESSED:
        corrupted = normalise(dress(corrupted, rng)).text
    if corrupted == example.text:
        return example
    return Example(corrupted, example.label, example.intent, example.text, example.synonyms, example.facets)


def _product(rng: random.Random) -> Example:
    query = product_query(rng)
    clean = Example(query.text, ALLOW, Intent.PRODUCT_SEARCH, None, query.synonyms, query.facets)
    return _maybe_corrupted(clean, rng, 0.6)


def _foreign(rng: random.Random) -> Example:
    text, intent = safe.foreign(rng)
    return Example(text.lower(), ALLOW, intent)
