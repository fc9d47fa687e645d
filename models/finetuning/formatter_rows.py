"""The rows that a formatter is tuned on: a text, the JSON Schema, and the JSON that is right.

    {"text": "two tickets to Oslo", "schema": {…}, "value": {"city": "Oslo", "tickets": 2}, "split": "dev"}

They become the prompt of the style `formatter`, and the value as compact JSON in the order of the schema's properties.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from sluicegate.models.artifacts.sampling import falls_within
from sluicegate.models.data.rows import read_rows
from sluicegate.models.finetuning.rows import Example
from sluicegate.models.formatting.compact import compact_json
from sluicegate.models.formatting.guided_prompt import FormatterPrompt, question
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.schemas.errors import ContractError, SchemaRefused

_HELD_OUT: Final = 0.05


class FormatterRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row; the docstring of the module shows the fields. Without `split`, a twentieth is held out."""

    text: str
    schema: dict[str, Any]
    value: Any
    split: str | None = None

    @property
    def is_held_out(self) -> bool:
        """Whether the row is for measuring, the same in every run."""
        return falls_within(self.text, _HELD_OUT) if self.split is None else self.split == "dev"


def read_formatter_rows(folder: Path) -> list[FormatterRow]:
    """All rows of the folder's JSON Lines files, except those of the split "test".

    Raises:
        ContractError: there are none, or a line is not a row; names file, line and field.
    """
    rows = [
        row for file in sorted(folder.glob("*.jsonl")) for row in read_rows(file, FormatterRow) if row.split != "test"
    ]
    if not rows:
        raise ContractError(f"{folder} has no rows: put *.jsonl files there, with text, schema and value")
    return rows


def formatter_examples(rows: Sequence[FormatterRow], tokenizer: QueryTokenizer, *, max_tokens: int) -> list[Example]:
    """The training examples of `rows`; a row with more than `max_tokens` tokens is left out.

    Raises:
        ContractError: a schema is refused, or a value does not follow its schema; names the row's place.
    """
    prompt = FormatterPrompt.of("formatter", tokenizer)
    schemas: dict[bytes, FormatSchema] = {}
    examples = []
    for place, row in enumerate(rows):
        key = msgspec.json.encode(row.schema)
        try:
            schema = schemas.get(key) or schemas.setdefault(key, FormatSchema.from_json(row.schema))
        except SchemaRefused as error:
            raise ContractError(f"row {place + 1}: {error}") from None
        if violation := schema.violation(row.value):
            raise ContractError(f"row {place + 1}: the value at `{violation.pointer}` breaks `{violation.keyword}`")
        asked = [*prompt.static, *tokenizer.encode(question(schema, row.text)).tokens, *prompt.tail]
        answer = [*tokenizer.encode(compact_json(row.value).decode()).tokens, *prompt.tail[:1]]
        if len(asked) + len(answer) <= max_tokens:
            examples.append(Example(tuple(map(tokenizer.id_of, (*asked, *answer))), len(asked)))
    return examples
