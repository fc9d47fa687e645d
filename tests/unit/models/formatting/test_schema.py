"""Which schemas are registered, and how the others are refused."""

import json
from typing import Any

import pytest

from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.schemas.errors import SchemaRefused

UNSATISFIABLE = {"type": "integer", "minimum": 5, "maximum": 1}
OBJECT: dict[str, Any] = {"type": "object", "properties": {"size": {"enum": ["S", "M"]}}, "required": ["size"]}


@pytest.mark.parametrize(
    ("schema", "path", "keyword"),
    [
        ({"type": "array", "uniqueItems": True}, "", "uniqueItems"),
        ({"properties": {"a/b": {"not": {"type": "string"}}}}, "/properties/a~1b", "not"),
        ({"$defs": {"x": {"if": True}}}, "/$defs/x", "if"),
        ({"items": {"format": "regex"}}, "/items", "format"),
        ({"$ref": "https://example.com/schema.json"}, "", "$ref"),
        ({"$ref": "#/$defs/none"}, "", "$ref"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "", "$ref"),
        ({"properties": {"a": {"$id": "https://example.com/a"}}}, "/properties/a", "$id"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "", "$schema"),
        ({"$schema": 7}, "", "$schema"),
        ({"properties": {"a": {"type": "strin"}}}, "/properties/a", "type"),
        ({"type": "string", "pattern": "^(?=a)b$"}, "", "pattern"),
        ({"type": "string", "pattern": "^(a{1000}){1000}$"}, "", "pattern"),
        (
            {"type": "array", "items": {"type": "integer", "minimum": 5, "maximum": 1}, "minItems": 2},
            "/items",
            "minimum",
        ),
        ({"anyOf": [{"oneOf": [{"type": "integer"}, {"type": "number"}]}]}, "/anyOf/0", "oneOf"),
        ({"type": "integer", "nullable": True}, "", "nullable"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "/properties/a", "$ref"),
        ({"enum": [f"value {number}" for number in range(2_001)]}, "", "enum"),
        ({"type": "string", "minLength": 1_000_000}, "", "minLength"),
        ({"type": "array", "minItems": 1_000_000}, "", "minItems"),
    ],
)
def test_a_schema_that_cannot_be_followed_to_the_letter_is_refused_with_its_path_and_keyword(
    schema: dict[str, Any], path: str, keyword: str
) -> None:
    with pytest.raises(SchemaRefused) as refused:
        FormatSchema.from_json(schema)
    assert (refused.value.path, refused.value.keyword) == (path, keyword)
    assert keyword in str(refused.value)


@pytest.mark.parametrize("pattern", ["^(?!a)", "(?<=a)b", r"(a)\1"])
def test_a_refused_pattern_names_what_is_not_supported(pattern: str) -> None:
    with pytest.raises(SchemaRefused, match="look-around and back-references are not supported in patterns"):
        FormatSchema.from_json({"type": "string", "pattern": pattern})


@pytest.mark.parametrize(
    "source",
    [b"{", b"[]", b"true", b"\xff", b'{"minimum": NaN}', b"[" * 5_000, b'{"items":' * 40 + b"{}" + b"}" * 40],
)
def test_what_is_no_schema_is_refused(source: bytes) -> None:
    with pytest.raises(SchemaRefused):
        FormatSchema.from_json(source)


def test_a_schema_that_is_too_large_is_refused() -> None:
    with pytest.raises(SchemaRefused, match="bytes"):
        FormatSchema.from_json(b'{"title": "' + b"x" * 10_000_000 + b'"}')
    with pytest.raises(SchemaRefused, match="subschemas"):
        FormatSchema.from_json({"properties": {str(number): {} for number in range(2_001)}})


def test_keywords_of_the_caller_are_stripped_and_do_not_count() -> None:
    relaxed = {**OBJECT, "x-guidance": {"lenient": True, "whitespace_flexible": True}, "x-owner": "team"}
    schema = FormatSchema.from_json(relaxed)
    assert schema.document == OBJECT
    assert schema.schema_hash == FormatSchema.from_json(OBJECT).schema_hash
    assert "lenient" not in schema.grammar


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    named = {
        "type": "object",
        "properties": {"x-guidance": {"type": "string"}, "enum": {"properties": {"properties": {}}}},
    }
    assert FormatSchema.from_json(named).document == named


def test_a_recursive_schema_whose_values_can_end_is_accepted() -> None:
    leaf = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
    }
    FormatSchema.from_json({**leaf, "required": ["name", "next"]})


def test_white_space_does_not_change_the_hash_and_order_does() -> None:
    spaced = FormatSchema.from_json(json.dumps(OBJECT, indent=4))
    assert spaced.schema_hash == FormatSchema.from_json(OBJECT).schema_hash
    two = {"a": {"type": "string"}, "b": {"type": "string"}}
    forwards, backwards = ({"properties": dict(order)} for order in (two.items(), reversed(two.items())))
    assert FormatSchema.from_json(forwards).schema_hash != FormatSchema.from_json(backwards).schema_hash


def test_a_violation_names_the_value_and_the_keyword() -> None:
    schema = FormatSchema.from_json({"properties": {"a/b": {"items": {"format": "date"}}}})
    assert schema.violation({"a/b": ["2026-02-28"]}) is None
    violation = schema.violation({"a/b": ["2026-02-28", "2026-02-29"]})
    assert violation
    assert (violation.pointer, violation.keyword) == ("/a~1b/1", "format")
