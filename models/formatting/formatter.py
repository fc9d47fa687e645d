"""What a formatter is: requests in, JSON or a typed failure out. Its implementations share this face.

formatter = ExtractiveFormatter()
results = formatter.format([FormatRequest("two tickets to Oslo", schema)])
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from sluicegate.models.formatting.schema import FormatSchema

How = Literal["text", "enum", "number", "date", "boolean", "null"]
FailureCode = Literal["not_found", "does_not_validate", "budget_ended", "too_long", "engine_failed", "grammar_failed"]


@dataclass(frozen=True, slots=True)
class FormatRequest:
    """One text and the schema that its JSON follows. `text` is untrusted.

    At most `max_tokens` are written, and the work ends after `seconds` if that is not None. A formatter without a model
    writes no tokens. With `null_ungrounded`, a value that is not in the text becomes null where the schema allows it.
    """

    text: str
    schema: FormatSchema
    max_tokens: int = 512
    seconds: float | None = None
    null_ungrounded: bool = False


@dataclass(frozen=True, slots=True)
class ValueSource:
    """Where one value comes from: its JSON pointer, and its place in the text in characters, where it has one.

    `how` it was found: as a piece of the `text`, as a `number` or a `date` that the text writes in its own way, as one
    of the schema's values (`enum`, `boolean`), or not at all (`null`). `assumed`: the text leaves a part of it open.
    """

    pointer: str
    start: int | None
    end: int | None
    how: How
    assumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Formatted:
    """JSON that follows the schema: it was validated.

    `value` is compact JSON. `sources` has an entry for each value that comes from the text, from the schema, or is
    null. `ungrounded` are the pointers of the values that come from nowhere, or of which a part is assumed. Tokens,
    steps and prefills are 0 without a model. The hashes are SHA-256 in hexadecimal, of what the model read and of
    `value`.
    """

    value: bytes
    sources: tuple[ValueSource, ...]
    ungrounded: tuple[str, ...]
    prompt_hash: str
    output_hash: str
    input_tokens: int = 0
    output_tokens: int = 0
    steps: int = 0
    prefills: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatFailure:
    """Why there is no JSON.

        not_found           the text has no value for a required place
        does_not_validate   the schema refuses what the text has, or the JSON breaks a rule that the grammar lacks
        budget_ended        tokens or time ended first
        too_long            the text with its schema has more tokens than the model may read
        engine_failed       the model raised
        grammar_failed      the grammar's parser gave up

    `message` has no text of the request. `pointer` is the place in the JSON, `keyword` the schema's keyword, as far as
    they are known.
    """

    code: FailureCode
    message: str
    pointer: str | None = None
    keyword: str | None = None
    prompt_hash: str
    input_tokens: int = 0
    output_tokens: int = 0
    steps: int = 0
    prefills: int = 0


class Formatter(Protocol):
    """Writes JSON. Thread-safe."""

    @property
    def model_version(self) -> str:
        """The name and version of the model, for events and ledger records."""

    @property
    def prompt_version(self) -> str:
        """The version of the prompt, or of the rules of a formatter without a model."""

    def format(self, batch: Sequence[FormatRequest]) -> list[Formatted | FormatFailure]:
        """A result per request of `batch`, in order. Blocks; call it off the event loop. Raises nothing on purpose."""
