"""A narrower schema for the grammar: everything that follows it also follows the caller's.

An object that lists its properties has no others, because the model is not to invent any. Numbers stay within what a
double holds exactly, so that they have no exponent and an end.
"""

from typing import Final

from sluicegate.models.formatting.keywords import Json, rebuilt, resolve, subschemas

_MOST: Final = 2**53 - 1
_OPENERS: Final = frozenset({"additionalProperties", "patternProperties", "anyOf", "oneOf", "$ref", "minProperties"})
_PLAIN: Final = frozenset({"type", "properties", "required", "title", "description", "$defs", "definitions"})


def for_writing(document: Json) -> Json:
    """The schema that the grammar is made of."""
    merged = rebuilt(document, lambda part: _merged(document, part))
    combined = any(
        isinstance(part, dict) and ("allOf" in part or ("$ref" in part and "properties" in part))
        for _, part in subschemas(merged)
    )
    # A property that one of the combined schemas does not list may be listed by another, so none of them is closed.
    return rebuilt(merged, lambda part: _bounded(part if combined else _closed(part)))


def _merged(document: Json, part: dict[str, Json]) -> dict[str, Json]:
    """`part` without its `allOf`, where that combines plain objects with different properties."""
    if "allOf" not in part:
        return part
    own = {keyword: value for keyword, value in part.items() if keyword != "allOf"}
    branches = [own, *(_target(document, one) for one in part["allOf"])]
    if not all(isinstance(one, dict) and one.keys() <= _PLAIN for one in branches):
        return part
    if any(one.get("type", "object") != "object" for one in branches):
        return part
    names = [name for one in branches for name in one.get("properties", {})]
    if len(names) != len(set(names)) or all("type" not in one for one in branches):
        return part
    properties = {name: value for one in branches for name, value in one.get("properties", {}).items()}
    required = [name for one in branches for name in one.get("required", [])]
    return {**own, "type": "object", "properties": properties, "required": required}


def _target(document: Json, part: Json) -> Json:
    while isinstance(part, dict) and part.keys() == {"$ref"}:
        part = resolve(document, part["$ref"])
    return part


def _closed(schema: dict[str, Json]) -> dict[str, Json]:
    if isinstance(schema.get("properties"), dict) and not _OPENERS & schema.keys():
        return {**schema, "additionalProperties": False}
    return schema


def _bounded(schema: dict[str, Json]) -> dict[str, Json]:
    types = schema.get("type", ())
    if not {"integer", "number"} & ({types} if isinstance(types, str) else set(types)):
        return schema
    if {"enum", "const", "multipleOf"} & schema.keys():
        return schema
    bounded = dict(schema)
    if not {"minimum", "exclusiveMinimum"} & schema.keys():
        bounded["minimum"] = min(-_MOST, schema.get("maximum", 0), schema.get("exclusiveMaximum", 1) - 1)
    if not {"maximum", "exclusiveMaximum"} & schema.keys():
        bounded["maximum"] = max(_MOST, schema.get("minimum", 0), schema.get("exclusiveMinimum", -1) + 1)
    return bounded
