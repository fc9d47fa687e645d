"""The rows that weights which ship may learn from.

The folder holds JSON Lines files, each row with its `licence`, and some with `use`:

    moderation_train.jsonl, moderation_more_train.jsonl   text, label (allow, review, block), category, source
    intents.jsonl, intents_more.jsonl                     text, domain, split, source   (rows of split "train" are used)
    queries.jsonl, queries_more.jsonl                     query, kind, source

Files whose name contains ``more`` may be missing. A row is left out where its licence forbids commercial use, requires
sharing alike or is not stated, and where `use` is not "train".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict

import orjson

from sluicegate.models.inference.labels import ALLOW, Category, Intent
from sluicegate.models.text.normalise import normalise

PERMITTED_LICENCES: Final = frozenset(
    {"MIT", "BSD-3-Clause", "Apache-2.0", "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-4.0 (UCI)"}
)

_DOMAINS: Final[dict[str, Intent]] = {
    "out_of_scope": Intent.OTHER,
    "restaurants": Intent.KITCHEN_AND_DINING,
    "takeaway": Intent.KITCHEN_AND_DINING,
    "cooking": Intent.KITCHEN_AND_DINING,
    **{intent.value: intent for intent in Intent},
}
"""Domains of the intent files that one of ours stands for; rows of other domains teach the verdict only."""


@dataclass(frozen=True, slots=True)
class Example:
    """A query and what the model should say of it. None: the row does not tell."""

    text: str
    label: str
    intent: Intent | None = None
    aisle: str | None = None
    """The part of the catalogue that a product query belongs to."""


class Row(TypedDict, total=False):
    """The fields of any of the files."""

    text: str
    query: str
    label: str
    category: str
    source: str
    licence: str
    use: str
    domain: str
    split: str
    kind: str


def read_permitted(path: Path) -> Iterator[Row]:
    """The rows of a JSON Lines file that may be used; none if an optional file is missing."""
    if "more" in path.name and not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            row: Row = orjson.loads(line)
            if row["licence"] in PERMITTED_LICENCES and row.get("use", "train") == "train":
                yield row


def moderation_examples(folder: Path) -> Iterator[tuple[str, Example]]:
    """(source, example) of every permitted moderation row."""
    for name in ("moderation_train.jsonl", "moderation_more_train.jsonl"):
        for row in read_permitted(folder / name):
            yield row["source"], Example(normalise(row["text"]).text, _gate_label(row))


def _gate_label(row: Row) -> str:
    if row["label"] == "allow":
        return ALLOW
    if row["source"] == "surge-profanity" and row["label"] == "review":
        return Category.HARASSMENT  # obscene words alone: rude, no request for sexual content
    return row["category"]


def intent_examples(folder: Path) -> Iterator[tuple[str, Example]]:
    """(source, example) of the training split of the intent files."""
    for name in ("intents.jsonl", "intents_more.jsonl"):
        for row in read_permitted(folder / name):
            if row["split"] == "train":
                yield row["source"], Example(normalise(row["text"]).text, ALLOW, _DOMAINS.get(row["domain"]))


def query_examples(folder: Path) -> Iterator[tuple[str, Example]]:
    """(source, example) of the permitted queries."""
    for name in ("queries.jsonl", "queries_more.jsonl"):
        for row in read_permitted(folder / name):
            shopping = row.get("kind", "shopping") == "shopping"
            yield (
                row["source"],
                Example(normalise(row["query"]).text, ALLOW, Intent.PRODUCT_SEARCH if shopping else None),
            )
