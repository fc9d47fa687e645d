"""A caller's JSON Schema, checked once at registration: what passes can be written by the grammar and validated whole.

schema = FormatSchema.from_json(b'{"type": "object", …}', schema_id="booking", version="2")
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NoReturn

import jsonschema_rs
import llguidance
import orjson

from sluicegate.models.formatting.compact import compact_json
from sluicegate.models.formatting.endless import check_ends
from sluicegate.models.formatting.keywords import (
    MOST_DEPTH,
    Json,
    check_keywords,
    parts_at,
    pointer,
    rebuilt,
    resolve,
    subschemas,
)
from sluicegate.models.formatting.writing import for_writing
from sluicegate.schemas.errors import SchemaRefused

MOST_BYTES: Final = 65_536

_BYTES: Final = llguidance.LLTokenizer("byte")
"""The grammar is checked with a vocabulary of single bytes: what it accepts does not depend on the vocabulary."""

_PATTERNS: Final = jsonschema_rs.RegexOptions(size_limit=1 << 20)
"""Linear in the length of the text: a pattern cannot hold a thread up."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule of the schema that a value breaks: the value's JSON pointer and the schema's keyword."""

    pointer: str
    keyword: str


@dataclass(frozen=True, eq=False)
class FormatSchema:
    """A schema that is ready for use. Immutable and thread-safe. Two with the same `schema_hash` are the same schema.

    `document` is without the caller's ``x-…`` keywords. `schema_hash` is the SHA-256 of `document` as compact JSON. The
    order of the properties counts: they are written in that order.
    """

    document: Json
    schema_hash: str
    schema_id: str
    version: str | None
    _validator: jsonschema_rs.Draft202012Validator
    _parts: dict[bytes, jsonschema_rs.Draft202012Validator] = field(default_factory=dict)

    @classmethod
    def from_json(
        cls, source: bytes | str | Mapping[str, Json], *, schema_id: str = "inline", version: str | None = None
    ) -> "FormatSchema":
        """Parse and check `source`, a JSON Schema 2020-12 document. Takes some milliseconds; nothing is fetched.

        Raises:
            SchemaRefused: names the path in the schema and the keyword.
        """
        document = _parsed(source)
        compact = orjson.dumps(document)
        if len(compact) > MOST_BYTES:
            raise SchemaRefused(f"the schema has {len(compact)} bytes, at most {MOST_BYTES} are allowed")
        check_keywords(document)
        try:
            validator = _validator(document)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            raise _refused_by_validator(error) from None
        check_ends(document)
        _check_grammar(document)
        return cls(document, hashlib.sha256(compact).hexdigest(), schema_id, version, validator)

    @cached_property
    def grammar(self) -> str:
        """The grammar of compact JSON that follows the schema, as llguidance takes it."""
        return _grammar(for_writing(self.document))

    def violation(self, value: Json) -> Violation | None:
        """The first rule that `value` breaks, or None."""
        error = next(self._validator.iter_errors(value), None)
        if error is None:
            return None
        return Violation(pointer(*error.instance_path), _keyword(error))

    def read(self, written: bytes) -> tuple[Json, Violation | None]:
        """The value of `written`, which follows the grammar, and the first rule that it breaks all the same."""
        try:
            value = json.loads(written)
            compact_json(value)
        except (ValueError, RecursionError):  # a number that JSON cannot hold, or bytes that are no text
            return None, Violation("", "type")
        return value, self.violation(value)

    def allows(self, value: Json) -> bool:
        """Whether `value` follows the schema."""
        return self._validator.is_valid(value)

    def part_allows(self, part: Json, value: Json) -> bool:
        """Whether `value` follows `part` of the document alone."""
        return self._part(part).is_valid(value)

    def part_refuses(self, part: Json, value: Json) -> str | None:
        """The first keyword of `part` that `value` breaks, or None."""
        error = next(self._part(part).iter_errors(value), None)
        return None if error is None else _keyword(error)

    def _part(self, part: Json) -> jsonschema_rs.Draft202012Validator:
        key = orjson.dumps(part)
        if (validator := self._parts.get(key)) is None:
            shared = {name: self.document[name] for name in ("$defs", "definitions") if name in self.document}
            validator = self._parts[key] = _validator({**shared, **part} if isinstance(part, dict) else part)
        return validator

    def names_value(self, path: Sequence[str | int], value: Json) -> bool:
        """Whether the schema itself names `value`, as an enum or a constant, for the place `path`."""
        for part in parts_at(self.document, self.document, path):
            named = part.get("enum", []) if "const" not in part else [part["const"]]
            if any(one == value and isinstance(one, bool) == isinstance(value, bool) for one in named):
                return True
        return False

    def target(self, schema: Json) -> Json:
        """`schema`, a part of the document, or what it refers to where it is nothing but a reference."""
        while isinstance(schema, dict) and "$ref" in schema:
            siblings = {keyword: value for keyword, value in schema.items() if keyword not in ("$ref", "$defs")}
            referred = resolve(self.document, schema["$ref"])
            schema = {**referred, **siblings} if isinstance(referred, dict) else referred
        return schema


def _parsed(source: bytes | str | Mapping[str, Json]) -> Json:
    try:
        if not isinstance(source, (bytes, str)):
            source = orjson.dumps(source)
        if len(source) > 4 * MOST_BYTES:
            raise SchemaRefused(f"the schema has {len(source)} bytes, at most {MOST_BYTES} are allowed")
        document = orjson.loads(source)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError) as error:
        raise SchemaRefused(f"the schema is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise SchemaRefused("the schema is not a JSON object")
    if _depth(document) > MOST_DEPTH:
        raise SchemaRefused(f"the schema is nested deeper than {MOST_DEPTH} levels")
    return rebuilt(document, _without_extensions)


def _depth(value: Json) -> int:
    """How deep objects and arrays are nested, counted up to one more than is allowed."""
    level, depth = [value], 0
    while level and depth <= MOST_DEPTH:
        level = [inner for outer in level for inner in _inner(outer)]
        depth += 1
    return depth


def _inner(value: Json) -> Iterator[Json]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (child for child in children if isinstance(child, (dict, list)))


def _validator(document: Json) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        document,
        validate_formats=True,
        ignore_unknown_formats=False,
        retriever=_fetch,
        pattern_options=_PATTERNS,
    )


def _fetch(uri: str) -> NoReturn:
    raise ValueError(f"nothing is fetched, not even {uri}")


def _keyword(error: jsonschema_rs.ValidationError) -> str:
    keywords = [part for part in error.schema_path if isinstance(part, str)]
    return keywords[-1] if keywords else "false"


def _refused_by_validator(error: Exception) -> SchemaRefused:
    path = [] if not isinstance(error, jsonschema_rs.ValidationError) else list(error.instance_path)
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    keyword = next((part for part in reversed(path) if isinstance(part, str)), None)
    if 'is not a "regex"' in reason and re.search(r"\(\?<?[=!]|\\[1-9]", reason):
        reason = "look-around and back-references are not supported in patterns"
    return SchemaRefused(f"the validator refuses it: {reason[:200]}", path=pointer(*path[:-1]), keyword=keyword)


def _check_grammar(document: Json) -> None:
    """Refuse what the grammar cannot express, and name the smallest part that it refuses.

    The grammar's compiler does not say where. So each part is tried alone, with the definitions that it may refer to.
    """
    problem = _grammar_problem(for_writing(document))
    if problem is None:
        return
    shared = {keyword: document[keyword] for keyword in ("$defs", "definitions") if keyword in document}
    parts = [(path, part) for path, part in subschemas(document) if path and isinstance(part, dict)]
    for path, part in sorted(parts, key=lambda found: -len(found[0])):
        if found := _grammar_problem({**shared, **part}):
            raise _refused_by_grammar(found, path, part)
    raise _refused_by_grammar(problem, (), document)


def _refused_by_grammar(problem: str, path: tuple[str | int, ...], part: Mapping[str, Json]) -> SchemaRefused:
    named = [keyword for keyword in part if keyword in problem or keyword.replace("min", "min/max") in problem]
    if "regex" in problem and "pattern" in part:
        named = ["pattern"]
    return SchemaRefused(
        f"the grammar cannot express it: {problem}", path=pointer(*path), keyword=named[0] if named else None
    )


def _grammar_problem(document: Json) -> str | None:
    """Why the grammar of `document` cannot be used, in one line."""
    grammar = _grammar(document)
    failed, messages = llguidance.LLMatcher.validate_grammar_with_warnings(grammar)
    if not failed and not messages:
        matcher = llguidance.LLMatcher(_BYTES, grammar, log_level=0)
        messages = [matcher.get_error()] if matcher.is_error() else []
    return " ".join("; ".join(messages).split())[:300] or None


def _grammar(document: Json) -> str:
    return llguidance.LLMatcher.grammar_from_json_schema(json.dumps(document), overrides={"whitespace_flexible": False})


def _without_extensions(schema: dict[str, Json]) -> dict[str, Json]:
    return {keyword: value for keyword, value in schema.items() if not keyword.startswith("x-")}
