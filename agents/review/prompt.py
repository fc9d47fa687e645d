"""A reviewer's prompt: read from its file, put around a query, and its answer parsed. Nothing in a query is trusted.

The query is cleaned as the gate cleans it, then every angle bracket in it is replaced, so that no delimiter and no
control token can stand inside the delimiters. Only the query and what would be searched for instead are sent: never who
searches.
"""

import tomllib
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import msgspec
import orjson

from sluicegate.agents.upstream.json_answers import AnswerSchema
from sluicegate.models.text.normalise import normalise
from sluicegate.schemas.errors import ConfigurationError, Unanswered
from sluicegate.schemas.events import Review
from sluicegate.schemas.vocabulary import Category

OUR_PROMPT: Final = Path(__file__).with_name("prompt.toml")

_MAX_CHARS: Final = 4096
_MAX_RATIONALE_CHARS: Final = 500
_NONE: Final = "none"
_BRACKETS: Final = str.maketrans({"<": "‹", ">": "›"})
_ANSWER: Final = (
    'Answer with one JSON object and nothing else: {"allow": true or false, "category": "none" exactly if allow is '
    'true, else one of the categories, "rationale": one short sentence that does not quote the query}'
)

ANSWER_SCHEMA: Final = AnswerSchema(
    "review",
    {
        "type": "object",
        "properties": {
            "allow": {"type": "boolean"},
            "category": {"type": "string", "enum": [_NONE, *Category]},
            "rationale": {"type": "string"},
        },
        "required": ["allow", "category", "rationale"],
        "additionalProperties": False,
    },
)

Words = Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)]


class _Criteria(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: Annotated[list[Words], msgspec.Meta(min_length=1)]


class _Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    query: Words
    allow: bool
    rationale: Words
    category: Category | None = None

    def __post_init__(self) -> None:
        if self.allow != (self.category is None):
            raise ValueError("a denied example has a category, an allowed one has none")


class _Canary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    allow: Words
    deny: Words


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reviewer answered, once it is known to be consistent."""

    allow: bool
    category: str | None
    rationale: str


class Prompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """A prompt file."""

    version: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    instruction: Words
    categories: dict[Category, Words]
    criteria: _Criteria
    examples: Annotated[list[_Example], msgspec.Meta(min_length=1, max_length=20)]
    canary: _Canary

    def __post_init__(self) -> None:
        if missing := [category.value for category in Category if category not in self.categories]:
            raise ValueError(f"[categories] lacks {', '.join(missing)}")

    @classmethod
    def read(cls, file: Path) -> "Prompt":
        """The prompt in `file`.

        Raises:
            ConfigurationError: it is missing or wrong; one line that names what.
        """
        try:
            return msgspec.convert(tomllib.loads(file.read_text("utf-8")), cls)
        except OSError as error:
            reason = error.strerror or type(error).__name__
        except (ValueError, msgspec.ValidationError) as error:  # also TOML and UTF-8
            reason = str(error)
        raise ConfigurationError(f"SLUICE_REVIEW_PROMPT: {file}: {reason}. Compare it with {OUR_PROMPT}.")

    @cached_property
    def before(self) -> list[dict[str, str]]:
        """The messages before that of the query."""
        system = "\n\n".join(
            [
                self.instruction.strip(),
                "Categories:\n" + "\n".join(f"- {name.value}: {self.categories[name]}" for name in Category),
                "Rules:\n" + "\n".join(f"- {rule}" for rule in self.criteria.rules),
                _ANSWER,
            ]
        )
        messages = [{"role": "system", "content": system}]
        for example in self.examples:
            answer = {"allow": example.allow, "category": example.category or _NONE, "rationale": example.rationale}
            messages.append({"role": "user", "content": delimited(example.query)})
            messages.append({"role": "assistant", "content": orjson.dumps(answer).decode()})
        return messages

    @cached_property
    def hash(self) -> str:
        """SHA-256 of all that is sent with every query."""
        return sha256(orjson.dumps([self.before, ANSWER_SCHEMA.schema])).hexdigest()

    def messages(self, query: str, rewrites: Sequence[str] = ()) -> list[dict[str, str]]:
        """The whole conversation about a query, and what would be searched for instead of it."""
        return [*self.before, {"role": "user", "content": delimited(query, rewrites)}]


def delimited(query: str, rewrites: Sequence[str] = ()) -> str:
    """The texts between tags that they cannot contain."""
    lines = [f"<query>{_neutral(query)}</query>", *(f"<rewrite>{_neutral(text)}</rewrite>" for text in rewrites)]
    return "\n".join(lines)


def rewrites_of(review: Review) -> list[str]:
    """What would be searched for instead of the query, where that differs by more than case."""
    texts = dict.fromkeys([review.lexical, review.semantic])
    return [text for text in texts if text.casefold() != review.query.casefold()]


def parse_answer(text: str) -> tuple[bool, Category | None, str]:
    """The decision, its category and its rationale. The answer must be the JSON object that was asked for.

    Raises:
        Unanswered: `unreadable`, `unknown_label`, or a `contradiction` between the decision and its category.
    """
    try:
        answer = msgspec.json.decode(text.strip(), type=Answer)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Unanswered("unreadable", "the reviewer's answer is not the JSON object that was asked for") from None
    try:
        category = None if answer.category in (None, _NONE) else Category(answer.category)
    except ValueError:
        raise Unanswered("unknown_label", "the reviewer answered with a category that does not exist") from None
    if answer.allow != (category is None):
        raise Unanswered("contradiction", "the reviewer's decision and its category contradict each other")
    return answer.allow, category, _shown(answer.rationale)


def _neutral(text: str) -> str:
    return normalise(text, max_chars=_MAX_CHARS).text.translate(_BRACKETS)


def _shown(text: str) -> str:
    """A rationale as one plain line: it is a model's text, and people read it on terminals."""
    return normalise(text, max_chars=_MAX_RATIONALE_CHARS).text
