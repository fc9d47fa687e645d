"""JSON without white space, exactly as a value was: big integers stay whole, and there is no NaN."""

import json

from sluicegate.models.formatting.keywords import Json


def compact_json(value: Json) -> bytes:
    """`value` as compact JSON in UTF-8. Raises ValueError for a number that JSON cannot write."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
