"""What a model is asked: the fields with their descriptions, then the text.

    style         asked
    zero_shot     chat template, thinking off: an instruction, the fields, the text
    adapted       the same: LoRA for the gate leaves the model's other abilities mostly as they were
    formatter     a Qwen3 tuned for this: the fields, the text, <|im_end|>, without an instruction

Fields and text are untrusted: none of their tokens is a control token. The text comes last, so that nothing it contains
can end it early. The grammar, and not the prompt, decides what can be answered.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from sluicegate.models.formatting.keywords import Json
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.models.inference.prompts import PROMPT_VERSIONS
from sluicegate.models.inference.tokenizer import QueryTokenizer

FormatterStyle = Literal["zero_shot", "adapted", "formatter"]

_INSTRUCTION: Final = (
    "Fill in the fields with what the text says. Copy values from the text. What it does not say is null."
)
_MOST_FIELDS: Final = 120
_MOST_VALUES: Final = 24
_LONGEST_DESCRIPTION: Final = 200
_DEEPEST: Final = 6
_KINDS: Final = {
    "string": "text",
    "integer": "whole number",
    "boolean": "true or false",
    "object": "object",
    "array": "list",
}


@dataclass(frozen=True, slots=True)
class FormatterPrompt:
    """The tokens around what a request asks: `static` in front, `tail` behind, and a `filler` that changes nothing."""

    version: str
    static: tuple[str, ...]
    tail: tuple[str, ...]
    filler: str

    @classmethod
    def of(cls, style: FormatterStyle, tokenizer: QueryTokenizer) -> "FormatterPrompt":
        """The prompt of a model that was compiled with `style`."""
        filler = tokenizer.encode_template("\n")[0]
        if style == "formatter":
            return cls(PROMPT_VERSIONS["formatter"], (), tuple(tokenizer.encode_template("<|im_end|>")), filler)
        static = f"<|im_start|>system\n{_INSTRUCTION}<|im_end|>\n<|im_start|>user\n"
        tail = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
        return cls(
            "formatter-zero-shot-1",
            tuple(tokenizer.encode_template(static)),
            tuple(tokenizer.encode_template(tail)),
            filler,
        )


def question(schema: FormatSchema, text: str) -> str:
    """What stands between the tokens of a prompt: the fields, then the text. All of it is untrusted."""
    lines = _fields(schema, schema.document, "", 0)
    fields = "\n".join(line for line, _ in zip(lines, range(_MOST_FIELDS), strict=False))
    return f"Fields:\n{fields}\n\nText:\n{text}\n"


def _fields(schema: FormatSchema, part: Json, name: str, depth: int) -> Iterator[str]:
    """A line for each field, deeper ones indented."""
    part = schema.target(part)
    if not isinstance(part, dict) or depth > _DEEPEST:
        return
    branches = [schema.target(one) for keyword in ("anyOf", "oneOf") for one in part.get(keyword, ())]
    if name:
        described = str(part.get("description", part.get("title", "")))[:_LONGEST_DESCRIPTION]
        kinds = list(dict.fromkeys(_kind(one) for one in branches or [part]))
        yield "  " * (depth - 1) + f"- {name}: {' or '.join(kinds)}" + (f". {described}" if described else "")
    for one in (part, *(branch for branch in branches if isinstance(branch, dict)), *part.get("allOf", ())):
        one = schema.target(one)
        for inner, schema_of_inner in one.get("properties", {}).items() if isinstance(one, dict) else ():
            yield from _fields(schema, schema_of_inner, inner, depth + 1)
    for one in (*part.get("prefixItems", ()), part.get("items")):
        if isinstance(one, dict) and isinstance(target := schema.target(one), dict):
            inner_properties = "properties" in target or "anyOf" in target or "oneOf" in target
            yield from _fields(schema, one, "" if "properties" in target else "each" if inner_properties else "", depth)


def _kind(part: Json) -> str:
    if not isinstance(part, dict):
        return "anything"
    if "const" in part:
        return str(part["const"])
    if "enum" in part:
        return "one of " + ", ".join(map(str, part["enum"][:_MOST_VALUES]))
    if "format" in part:
        return str(part["format"])
    types = part.get("type", "anything")
    if types == "array" and isinstance(items := part.get("items"), dict) and "$ref" not in items:
        return f"list of {_kind(items)}"
    return " or ".join(_KINDS.get(one, one) for one in ([types] if isinstance(types, str) else types))
