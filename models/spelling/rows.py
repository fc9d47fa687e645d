"""The rows that the speller learns from: their licence permits it (`use` is train), and their split is train."""

import json
import random
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sluicegate.models.data.corruption import corrupt, is_spellable, misspell
from sluicegate.models.data.products import product_query
from sluicegate.models.text.normalise import normalise

_FIRST_WORDS: Final = 7
_FOR_CHOOSING: Final = "wands+typos"
"""The queries of WANDS are kept for choosing the bounds."""
_SLIPS: Final = 30_000
_LATIN: Final = re.compile(r"[\x00-\u024f‘’“”–—…]*")


@dataclass(frozen=True)
class Row:
    """A query as typed and as meant; the same where it is correct. `kind` groups rows for weights and measurements."""

    typed: str
    meant: str
    kind: str


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON Lines file."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def share_of(text: str) -> float:
    """A number from 0 to 1 that depends on `text` alone, to divide rows reproducibly."""
    return zlib.crc32(text.encode()) / 2**32


def pairs(data: Path, split: str, *, use: str = "train") -> Iterator[Row]:
    """Misspelt words and queries of `split`."""
    for row in read_rows(data / "spelling_pairs.jsonl"):
        if row["split"] == split and row["use"] == use and row["source"] != _FOR_CHOOSING:
            yield Row(row["query"], row["clean"], f"misspelt {row['kind']}")


def clean(data: Path) -> Iterator[Row]:
    """Correct English queries, titles and commands that may be trained on."""
    for row in read_rows(data / "queries_more.jsonl"):
        if row["use"] == "train":
            yield _clean(row["query"], f"clean {row['kind']}")
    for name in ("intents.jsonl", "intents_more.jsonl"):
        for row in read_rows(data / name):
            if row["split"] == "train":
                yield _clean(row["text"], "clean request")
    for row in read_rows(data / "moderation_more_train.jsonl"):
        if row["label"] == "allow" and row["lang"] == "en" and row["source"] in _PROSE:
            yield _clean(" ".join(row["text"].split()[:12]), "clean text")


_PROSE: Final = (
    *("tldr-pages", "medquad-questions", "news-headlines", "movie-titles", "chorus-queries", "brand-names"),
    *("corpora-names", "composed-shopping", "clickbait-headlines", "counsel-chat"),
)


def foreign(data: Path, split: str = "train") -> Iterator[Row]:
    """A few words of each text of another language in Latin letters, harmless and not."""
    for row in read_rows(data / f"moderation_more_{split}.jsonl"):
        if row["lang"] != "en" and _LATIN.fullmatch(row["text"]):
            words = row["text"].split()
            start = int(share_of(row["text"]) * max(1, len(words) - _FIRST_WORDS))
            count = 1 + int(share_of(row["text"] + "#") * _FIRST_WORDS)
            yield _clean(" ".join(words[start : start + count]), "other language")


def slipped(clean_rows: Iterable[Row]) -> Iterator[Row]:
    """Correct queries with slips by seed, and two neighbours of them run together."""
    rng = random.Random(1)  # noqa: S311 - reproducible corruption, not a secret
    for row in clean_rows:
        query = row.meant.lower()
        yield Row(corrupt(query, rng), query, "slipped")
        words = query.split(" ")
        place = rng.randrange(len(words))
        pair = words[place : place + 2]
        if len(pair) == 2 and all(word.isascii() and word.isalpha() and len(word) > 2 for word in pair):
            yield Row("".join(pair), " ".join(pair), "run together")


def products(count: int, seed: int) -> Iterator[Row]:
    """Product queries of our own catalogue."""
    rng = random.Random(seed)  # noqa: S311 - reproducible queries, not a secret
    for _ in range(count):
        yield _clean(product_query(rng).text, "clean product")


def slips_in(counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Words with slips by seed, the commoner the oftener, and what they mean."""
    rng = random.Random(4)  # noqa: S311 - reproducible corruption, not a secret
    words = sorted(word for word in counts if is_spellable(word))
    for word in rng.choices(words, [counts[word] ** 0.5 for word in words], k=_SLIPS):
        if (typed := misspell(word, rng)) != word:
            yield typed, word


def _clean(text: str, kind: str) -> Row:
    plain = normalise(text).text
    return Row(plain, plain, kind)
