"""The rows that an adapter is trained on, and the training examples that they become.

The rows are JSON Lines files in a folder. A row may have any of these fields; others are ignored:

    text (or query)      what the user typed
    label, category      a row with them teaches the gate
    domain               a row with it teaches intent and rewrite
    clean, synonyms      the correction of a misspelt text, and other words that find the same things
    split                "dev" rows are held out, "test" rows are not read; without `split`, a twentieth is held out
"""

import random
from collections.abc import Callable, Iterator, Sequence
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
from sluicegate.models.inference.prompts import (
    ALLOW_LETTER,
    GATE_LETTERS,
    HINT,
    INTENT_LETTERS,
    KEEP,
    Frame,
    PromptStyle,
    prompt_style_for,
)
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.models.text.normalise import normalise
from sluicegate.models.text.readings import same_words
from sluicegate.schemas.errors import ContractError

_HELD_OUT: Final = 0.05
_SHARE_CORRUPTED: Final = 0.3

HintOf = Callable[[str], str | None]
"""The hint for a query, as the engine puts it into the prompt."""


class Row(msgspec.Struct, frozen=True):
    """One row; the docstring of the module describes the fields."""

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


class LabelledRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row as teachers and reviewers write it. With a domain and without `clean`, the text is spelt right."""

    text: str
    label: str
    category: str
    source: str
    domain: str | None = None
    clean: str | None = None
    synonyms: list[str] = []


def texts_with_rows(file: Path) -> set[str]:
    """The texts that have a labelled row in `file`; none if there is no such file.

    Raises:
        ContractError: a line is not such a row.
    """
    texts = set()
    lines = file.read_bytes().splitlines() if file.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            texts.add(msgspec.json.decode(line, type=LabelledRow).text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ContractError(f"{file}, line {number}: {error}. Remove that line.") from None
    return texts


@dataclass(frozen=True)
class Example:
    """Token ids, and the place of the first one that the model must generate itself."""

    ids: tuple[int, ...]
    answer_from: int


def read_folder(folder: Path) -> list[Row]:
    """All rows of the folder's JSON Lines files, except those of the split "test".

    Raises:
        ContractError: there are none, or a line is not a row; names file, line and field.
    """
    rows = [row for file in sorted(folder.glob("*.jsonl")) for row in read_rows(file, Row) if row.split != "test"]
    if not rows:
        raise ContractError(f"{folder} has no rows: put *.jsonl files there, with text, label and category or domain")
    return rows


def is_held_out(row: Row) -> bool:
    """Whether the row is for measuring: a "dev" row, or one of the twentieth held out, the same in every run."""
    if row.split is not None:
        return row.split == "dev"
    return falls_within(row.typed, _HELD_OUT)


def examples_of(
    rows: Sequence[Row],
    name: PromptStyleName,
    tokenizer: QueryTokenizer,
    *,
    seed: int,
    max_query_tokens: int,
    hint_of: HintOf = lambda _: None,
) -> list[Example]:
    """The training examples of `rows`: prompts of the style called `name`, and the right answers.

    If a row with a domain has no `clean`, its text is correct, and is misspelt by seed in three of ten rows. `hint_of`
    is asked where the style takes hints.
    """
    style = prompt_style_for(name, tokenizer)
    rng = random.Random(seed)  # noqa: S311 - reproducible data, not a secret
    return [
        example
        for row in rows
        if row.typed
        for question in (
            _ask_once(row, style, tokenizer, rng, hint_of) if style.stops else _ask_twice(row, style, tokenizer, rng)
        )
        if (example := _example(tokenizer, style, question, max_query_tokens))
    ]


def text_examples(texts: Sequence[str], tokenizer: QueryTokenizer, *, max_tokens: int) -> list[Example]:
    """Raw text of a domain, to be generated from the second token on: continued pre-training."""
    encoded = (tokenizer.encode(text).ids[:max_tokens] for text in texts)
    return [Example(tuple(ids), 1) for ids in encoded if len(ids) > 1]


@dataclass(frozen=True)
class _Question:
    frame: Frame
    typed: str
    answer: Sequence[str]
    """Tokens."""
    hint: str | None = None


def _ask_twice(row: Row, style: PromptStyle, tokenizer: QueryTokenizer, rng: random.Random) -> Iterator[_Question]:
    """The verdict and the answer, each after its own instruction."""
    if row.label is not None:
        yield _Question(style.gate, row.typed, [_letter(row), *style.ends])
    if row.domain is not None:
        typed, clean, topic, synonyms = _answer(row, row.domain, rng)
        line = " | ".join(filter(None, (topic, clean, synonyms)))
        yield _Question(style.rewrite, typed, [*tokenizer.encode(line).tokens, *style.ends])


def _ask_once(
    row: Row, style: PromptStyle, tokenizer: QueryTokenizer, rng: random.Random, hint_of: HintOf
) -> Iterator[_Question]:
    """The verdict and, after `allow`, the action and the intent."""
    letter = None if row.label is None else _letter(row)
    if row.domain is None or letter not in (None, ALLOW_LETTER):
        if letter is not None:
            yield _Question(style.gate, row.typed, [letter], hint_of(row.typed))
        return
    typed, clean, topic, synonyms = _answer(row, row.domain, rng)
    hint = hint_of(typed)
    answer = [*_action(typed, clean, synonyms, hint, tokenizer), INTENT_LETTERS[Intent(topic)]]
    if letter is None:
        yield _Question(style.rewrite, typed, answer, hint)
    else:
        yield _Question(style.gate, typed, [letter, *answer], hint)


def _action(typed: str, clean: str, synonyms: str, hint: str | None, tokenizer: QueryTokenizer) -> Sequence[str]:
    """One token where the query or its hint is right and there are no synonyms, else text in lower case."""
    is_right = same_words(clean, typed)
    if not synonyms and is_right:
        return [KEEP]
    if not synonyms and hint is not None and same_words(clean, hint):
        return [HINT]
    texts = (normalise(text.lower()).text for text in ("" if is_right else clean, synonyms))
    return tokenizer.encode(" | ".join(texts).strip(" ").removesuffix(" |")).tokens


def _letter(row: Row) -> str:
    return GATE_LETTERS[LABELS.index(gate_label_of(row.category))]


def _answer(row: Row, domain: str, rng: random.Random) -> tuple[str, str, str, str]:
    """The query as typed, which may get a misspelling here; the correct query; its topic; its synonyms."""
    typed = row.typed
    clean = normalise(row.clean or typed).text
    if row.clean is None and rng.random() < _SHARE_CORRUPTED:
        typed = corrupt(typed, rng)
    topic = Intent.OTHER if domain == OUT_OF_SCOPE else domain
    return typed, clean, topic, ", ".join(normalise(synonym).text for synonym in row.synonyms)


def _example(
    tokenizer: QueryTokenizer, style: PromptStyle, question: _Question, max_query_tokens: int
) -> Example | None:
    query = tokenizer.encode(question.typed).tokens
    if len(query) > max_query_tokens:
        return None
    hint = tokenizer.encode(question.hint).tokens if question.hint else ()
    asked = [*question.frame.static, *style.with_hint(query, hint), *question.frame.suffix]
    return Example(tuple(map(tokenizer.id_of, (*asked, *question.answer))), len(asked))
