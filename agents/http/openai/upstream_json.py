"""JSON of the upstream API: it is validated, and repaired once where it does not follow the schema."""

from typing import Literal, NamedTuple

import orjson

from sluicegate.models.formatting.compact import compact_json
from sluicegate.models.formatting.extractive import ExtractiveFormatter
from sluicegate.models.formatting.formatter import FormatRequest, Formatted
from sluicegate.models.formatting.schema import FormatSchema


class Followed(NamedTuple):
    """JSON that follows the schema, unless the `outcome` is "failed"."""

    text: str
    outcome: Literal["valid", "repaired", "failed"]


def follow_schema(text: str, schema: FormatSchema) -> Followed:
    """JSON that follows `schema`: `text` itself, the JSON in it, or what the formatter finds in it.

    Takes some milliseconds.
    """
    if _follows(text, schema):
        return Followed(text, "valid")
    inner = text[text.find("{") : text.rfind("}") + 1]  # JSON between words, or in a block of code
    if _follows(inner, schema):
        return Followed(compact_json(orjson.loads(inner)).decode(), "repaired")
    (result,) = ExtractiveFormatter().format([FormatRequest(text, schema)])
    if isinstance(result, Formatted):
        return Followed(result.value.decode(), "repaired")
    return Followed("", "failed")


def _follows(text: str, schema: FormatSchema) -> bool:
    try:
        return schema.allows(orjson.loads(text))
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return False
