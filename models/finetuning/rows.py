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

from sluicegate.models.artifacts.manifest import PromptStyleName
from sluicegate.models.artifacts.sampling import falls_within
from sluicegate.models.data.corruption import corrupt
from sluicegate.models.data.rows import NONE, Label, check_category, gate_label_of, read_rows
from sluicegate.models.evaluation.intent import OUT_OF_SCOPE
from sluicegate.models.inference.labels import LABELS, Intent
from sluicegate.models.inference.prompts import ALLOW_LETTER, GATE_LETTERS, Frame, PromptStyle, prompt_style_for
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.models.text.normalise import normalise
from sluicegate.schemas.errors import ContractError

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


def lessons_of(
    rows: Sequence[Row], name: PromptStyleName, tokenizer: QueryTokenizer, *, seed: int, max_query_tokens: int
) -> list[Lesson]:
    """What the prompts of the profile called `name` ask about each row, and what should be answered.

    Where a row with a domain has no `clean`, its text is taken for right and misspelt, by seed, three times in ten.
    """
    profile = prompt_style_for(name, tokenizer)
    ask = _in_one if profile.stops else _in_two
    rng = random.Random(seed)  # noqa: S311 - reproducible data, not a secret
    return [
        lesson
        for row in rows
        if row.typed
        for question in ask(row, profile, rng)
        if (lesson := _lesson(tokenizer, profile, question, max_query_tokens))
    ]


def text_lessons(texts: Sequence[str], tokenizer: QueryTokenizer, *, max_tokens: int) -> list[Lesson]:
    """Raw text of a domain, to be said from the first token on: continued pre-training."""
    encoded = (tokenizer.encode(text).ids[:max_tokens] for text in texts)
    return [Lesson(tuple(ids), 1) for ids in encoded if len(ids) > 1]


@dataclass(frozen=True)
class _Question:
    frame: Frame
    typed: str
    told: str


def _in_two(row: Row, profile: PromptStyle, rng: random.Random) -> Iterator[_Question]:
    """The verdict and the answer, each behind its own instruction."""
    if row.label is not None:
        yield _Question(profile.gate, row.typed, _letter(row) + profile.end_token)
    if row.domain is not None:
        typed, clean, topic, synonyms = _answer(row, row.domain, rng)
        yield _Question(profile.rewrite, typed, " | ".join(filter(None, (topic, clean, synonyms))) + profile.end_token)


def _in_one(row: Row, profile: PromptStyle, rng: random.Random) -> Iterator[_Question]:
    """The verdict and, after `allow`, the answer: in lower case, and without the query where that is right."""
    letter = None if row.label is None else _letter(row)
    if row.domain is None or letter not in (None, ALLOW_LETTER):
        if letter is not None:
            yield _Question(profile.gate, row.typed, letter)  # an end token here would teach that `allow` ends it
        return
    typed, clean, topic, synonyms = _answer(row, row.domain, rng)
    rewrite, synonyms = (normalise(text.lower()).text for text in (clean if clean != typed else "", synonyms))
    answer = f" {topic} | {rewrite} | {synonyms}".rstrip("| ") + profile.end_token
    if letter is None:
        yield _Question(profile.rewrite, typed, answer)
    else:
        yield _Question(profile.gate, typed, letter + answer)


def _letter(row: Row) -> str:
    return GATE_LETTERS[LABELS.index(gate_label_of(row.category))]


def _answer(row: Row, domain: str, rng: random.Random) -> tuple[str, str, str, str]:
    """The query as typed, perhaps misspelt here; as it should be; its topic; its synonyms."""
    typed = row.typed
    clean = normalise(row.clean or typed).text
    if row.clean is None and rng.random() < _SHARE_CORRUPTED:
        typed = corrupt(typed, rng)
    topic = Intent.OTHER if domain == OUT_OF_SCOPE else domain
    return typed, clean, topic, ", ".join(normalise(synonym).text for synonym in row.synonyms)


def _lesson(
    tokenizer: QueryTokenizer, profile: PromptStyle, question: _Question, max_query_tokens: int
) -> Lesson | None:
    query = tokenizer.encode(question.typed).tokens
    if len(query) > max_query_tokens:
        return None
    asked = [*question.frame.static, *profile.filled(query), *question.frame.suffix]
    told = tokenizer.encode_template(question.told)
    return Lesson(tuple(tokenizer.id_of(token) for token in (*asked, *told)), len(asked))
