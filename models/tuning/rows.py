"""The rows that an adapter learns from, and the conversations with the model that they make.

A folder of JSON Lines files, whose rows may carry any of these; others are ignored:

    text (or query)      what the user typed
    label, category      a row with them teaches the gate
    domain               a row with it teaches intent and rewrite
    clean, synonyms      the correction, where the text is misspelt, and what finds the same things
    split                "dev" rows measure, "test" rows are left alone; without it a twentieth is held out
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from models.evaluation.intent import OUT_OF_SCOPE
from models.evaluation.rows import NONE, Label, check_category, gate_label_of, read_rows
from models.labels import LABELS, Intent
from models.normalise import normalise
from models.prompts import GATE_LETTERS, Frame, PromptProfile, profile_for
from models.sampling import falls_within
from models.tokenizer import QueryTokenizer
from models.training.corruption import corrupt
from schemas.errors import ContractError

_HELD_OUT: Final = 0.05
_SHARE_CORRUPTED: Final = 0.3


class Row(msgspec.Struct, frozen=True):
    """One row; see the module."""

    text: str = ""
    query: str = ""
    label: Label | None = None
    category: str = NONE
    domain: str | None = None
    clean: str | None = None
    synonyms: list[str] = []
    split: str | None = None

    def __post_init__(self) -> None:
        if not (self.text or self.query):
            raise ValueError("Object missing required field `text` (or `query`)")
        check_category(self.label, self.category)
        if self.domain not in (None, OUT_OF_SCOPE, *Intent):
            raise ValueError(f"domain {self.domain!r} is none of {', '.join((*Intent, OUT_OF_SCOPE))}")

    @property
    def typed(self) -> str:
        """What the user typed, as the worker would give it to the model."""
        return normalise(self.text or self.query).text


class TaughtRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row as teachers and reviewers write it; without `clean` the text is right."""

    text: str
    label: str
    category: str
    domain: str
    source: str
    clean: str | None = None
    synonyms: list[str] = []


@dataclass(frozen=True)
class Lesson:
    """Token ids, and from which of them on the model has to say them itself."""

    ids: tuple[int, ...]
    answer_from: int


def read_folder(folder: Path) -> list[Row]:
    """Every row of the folder's JSON Lines files but those of a split named test.

    Raises:
        ContractError: there is none, or a line is no row; names file, line and field.
    """
    rows = [row for file in sorted(folder.glob("*.jsonl")) for row in read_rows(file, Row) if row.split != "test"]
    if not rows:
        raise ContractError(f"{folder} holds no row: put *.jsonl files there, of text, label and category or domain")
    return rows


def is_held_out(row: Row) -> bool:
    """Whether the row measures: a "dev" row, or one of the twentieth held out, the same in every run."""
    if row.split is not None:
        return row.split == "dev"
    return falls_within(row.typed, _HELD_OUT)


def lessons_of(rows: Sequence[Row], tokenizer: QueryTokenizer, *, seed: int, max_query_tokens: int) -> list[Lesson]:
    """What the `zero_shot` prompts ask about each row, and what should be answered.

    Where a row with a domain has no `clean`, its text is taken for right and misspelt, by seed, three times in ten.
    """
    profile = profile_for("zero_shot", tokenizer)
    rng = random.Random(seed)  # noqa: S311 - reproducible data, not a secret
    return [
        lesson
        for row in rows
        for frame, typed, answer in _questions(row, profile.gate, profile.rewrite, rng)
        if (lesson := _lesson(tokenizer, profile, frame, typed, answer, max_query_tokens))
    ]


def text_lessons(texts: Sequence[str], tokenizer: QueryTokenizer, *, max_tokens: int) -> list[Lesson]:
    """Raw text of a domain, to be said from the first token on: continued pre-training."""
    encoded = (tokenizer.encode(text).ids[:max_tokens] for text in texts)
    return [Lesson(tuple(ids), 1) for ids in encoded if len(ids) > 1]


def _questions(row: Row, gate: Frame, rewrite: Frame, rng: random.Random) -> Iterator[tuple[Frame, str, str]]:
    typed = row.typed
    if not typed:
        return
    if row.label is not None:
        yield gate, typed, GATE_LETTERS[LABELS.index(gate_label_of(row.category))]
    if row.domain is not None:
        clean = normalise(row.clean or typed).text
        if row.clean is None and rng.random() < _SHARE_CORRUPTED:
            typed = corrupt(typed, rng)
        topic = Intent.OTHER if row.domain == OUT_OF_SCOPE else row.domain
        synonyms = ", ".join(normalise(synonym).text for synonym in row.synonyms)
        yield rewrite, typed, " | ".join(filter(None, (topic, clean, synonyms)))


def _lesson(
    tokenizer: QueryTokenizer, profile: PromptProfile, frame: Frame, typed: str, answer: str, max_query_tokens: int
) -> Lesson | None:
    query = tokenizer.encode(typed).tokens
    if len(query) > max_query_tokens:
        return None
    asked = [*frame.static, *profile.filled(query), *frame.suffix]
    told = tokenizer.encode_template(answer + profile.end_token)
    return Lesson(tuple(tokenizer.id_of(token) for token in (*asked, *told)), len(asked))
