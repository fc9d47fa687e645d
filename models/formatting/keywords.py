"""Which keywords of JSON Schema 2020-12 a formatter supports, and a walk over the subschemas that use them.

A keyword is supported if both the grammar and the validator apply it. Any other one is refused by name, so that no
schema is checked by half. Annotations are kept: the prompt uses descriptions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from sluicegate.schemas.errors import SchemaRefused

Json = Any  # a parsed JSON document of unknown shape: this is the edge

_ONE_SCHEMA: Final = frozenset({"items", "additionalProperties"})
_LISTS: Final = frozenset({"prefixItems", "allOf", "anyOf", "oneOf"})
_MAPS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_ASSERTIONS: Final = frozenset(
    {"type", "enum", "const", "required", "minItems", "maxItems", "minLength", "maxLength", "pattern", "format"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minProperties", "maxProperties"}
)
_ANNOTATIONS: Final = frozenset(
    {"$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
)
SUPPORTED: Final = _ONE_SCHEMA | _LISTS | _MAPS | _ASSERTIONS | _ANNOTATIONS | {"$ref"}

FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"}
)
"""The formats that both the grammar and the validator know."""

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"

MOST_DEPTH: Final = 32
MOST_SUBSCHEMAS: Final = 2_000
MOST_ENUM_VALUES: Final = 2_000
MOST_REQUIRED: Final = {"minItems": 1_000, "minLength": 10_000, "minProperties": 1_000}
"""How much a schema may ask for: the shortest value must be one that can be written."""


def pointer(*parts: str | int) -> str:
    """The JSON pointer (RFC 6901) of `parts`; empty for the root."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def rebuilt(schema: Json, change: Callable[[dict[str, Json]], dict[str, Json]]) -> Json:
    """A copy of `schema` in which `change` was applied to each subschema, the innermost first."""
    if not isinstance(schema, dict):
        return schema
    copy: dict[str, Json] = {}
    for keyword, value in schema.items():
        if keyword in _MAPS and isinstance(value, dict):
            copy[keyword] = {name: rebuilt(one, change) for name, one in value.items()}
        elif keyword in _LISTS and isinstance(value, list):
            copy[keyword] = [rebuilt(one, change) for one in value]
        elif keyword in _ONE_SCHEMA:
            copy[keyword] = rebuilt(value, change)
        else:
            copy[keyword] = value
    return change(copy)


def subschemas(schema: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Json]]:
    """Each subschema of `schema` with its path, itself first. It does not follow references."""
    yield path, schema
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        if keyword in _MAPS and isinstance(value, dict):
            for name, one in value.items():
                yield from subschemas(one, (*path, keyword, name))
        elif keyword in _LISTS and isinstance(value, list):
            for index, one in enumerate(value):
                yield from subschemas(one, (*path, keyword, index))
        elif keyword in _ONE_SCHEMA:
            yield from subschemas(value, (*path, keyword))


def resolve(document: Json, reference: str) -> Json:
    """What `reference`, a pointer into `document` such as ``#/$defs/money``, points to.

    Raises:
        LookupError: nothing is there.
    """
    found = document
    for part in reference.removeprefix("#").split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        found = found[int(part)] if isinstance(found, list) and part.isdecimal() else found[part]
    return found


def parts_at(document: Json, schema: Json, path: Sequence[str | int], hops: int = MOST_DEPTH) -> Iterator[Json]:
    """The parts of `document` that a value at `path` below `schema` is checked with, as objects."""
    if not isinstance(schema, dict) or hops == 0:
        return
    if not path:
        yield schema
    if "$ref" in schema:
        yield from parts_at(document, resolve(document, schema["$ref"]), path, hops - 1)
    for keyword in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(keyword, ()):
            yield from parts_at(document, one, path, hops - 1)
    if not path:
        return
    first, rest = path[0], path[1:]
    if isinstance(first, str):
        inner = schema.get("properties", {}).get(first, schema.get("additionalProperties"))
        for pattern in schema.get("patternProperties", {}).values():
            yield from parts_at(document, pattern, rest, hops)
    else:
        prefix = schema.get("prefixItems", [])
        inner = prefix[first] if first < len(prefix) else schema.get("items")
    yield from parts_at(document, inner, rest, hops)


def check_keywords(document: Json) -> None:
    """Refuse what cannot be expressed.

    Raises:
        SchemaRefused: names the path and the keyword.
    """
    count = values = 0
    for path, schema in subschemas(document):
        count += 1
        if isinstance(schema, bool):
            continue
        if not isinstance(schema, dict):
            raise SchemaRefused("a schema is an object or a boolean", path=pointer(*path))
        if count > MOST_SUBSCHEMAS:
            raise SchemaRefused(f"the schema has more than {MOST_SUBSCHEMAS} subschemas", path=pointer(*path))
        _check_subschema(document, path, schema)
        values += len(schema["enum"]) if isinstance(schema.get("enum"), list) else 0
        if values > MOST_ENUM_VALUES:
            raise SchemaRefused(
                f"the schema has more than {MOST_ENUM_VALUES} enum values", path=pointer(*path), keyword="enum"
            )


def _check_subschema(document: Json, path: tuple[str | int, ...], schema: Mapping[str, Json]) -> None:
    def refuse(keyword: str, why: str) -> SchemaRefused:
        return SchemaRefused(why, path=pointer(*path), keyword=keyword)

    for keyword in schema:
        if keyword not in SUPPORTED:
            raise refuse(keyword, "this keyword is not supported; remove it or express it otherwise")
    if str(schema.get("$schema", DRAFT)).rstrip("#") != DRAFT:
        raise refuse("$schema", "only JSON Schema 2020-12 is supported")
    for keyword, most in MOST_REQUIRED.items():
        if isinstance(schema.get(keyword), (int, float)) and schema[keyword] > most:
            raise refuse(keyword, f"at most {most} are supported")
    if "$id" in schema and path:
        raise refuse("$id", "only the whole document may have an identifier")
    if (format_ := schema.get("format")) is not None and format_ not in FORMATS:
        raise refuse("format", f"only these formats are supported: {', '.join(sorted(FORMATS))}")
    if (reference := schema.get("$ref")) is not None:
        _check_reference(document, reference, refuse)


def _check_reference(document: Json, reference: Json, refuse: Any) -> None:
    """A reference points into the document, and does not lead back to itself through references alone."""
    seen = set()
    while True:
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise refuse("$ref", "a reference points into the same document, as in #/$defs/name; nothing is fetched")
        if reference in seen:
            raise refuse("$ref", "this reference leads back to itself")
        seen.add(reference)
        try:
            target = resolve(document, reference)
        except (LookupError, TypeError):
            raise refuse("$ref", "nothing is at this reference") from None
        if not isinstance(target, (dict, bool)):
            raise refuse("$ref", "what this reference points to is no schema")
        reference = target.get("$ref") if isinstance(target, dict) else None
        if reference is None:
            return
