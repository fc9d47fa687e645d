"""What the formatter without a model finds, and what it says where it finds nothing."""

import json
from typing import Any

import pytest

from sluicegate.models.formatting.extractive import ExtractiveFormatter
from sluicegate.models.formatting.formatter import FormatFailure, FormatRequest, Formatted
from sluicegate.models.formatting.schema import FormatSchema

TRIP: dict[str, Any] = {
    "type": "object",
    "properties": {
        "origin": {"type": "string"},
        "destination": {"type": "string"},
        "departure_date": {"type": "string", "format": "date"},
        "adults": {"type": "integer", "minimum": 1, "maximum": 9},
        "cabin": {"enum": ["economy", "premium economy", "business"]},
        "refundable": {"type": "boolean"},
        "max_price": {"type": ["number", "null"]},
    },
    "required": ["destination", "max_price"],
}
ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "items": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/item"}},
        "email": {"type": "string", "format": "email"},
        "tags": {"type": "array", "items": {"enum": ["urgent", "fragile"]}},
    },
    "required": ["items"],
    "$defs": {
        "item": {
            "type": "object",
            "properties": {"product": {"enum": ["apple", "olive oil"]}, "quantity": {"type": "integer"}},
            "required": ["product", "quantity"],
        }
    },
}


def extract(schema: dict[str, Any], text: str) -> Formatted | FormatFailure:
    return ExtractiveFormatter().format([FormatRequest(text, FormatSchema.from_json(schema))])[0]


def value(schema: dict[str, Any], text: str) -> Any:
    result = extract(schema, text)
    assert isinstance(result, Formatted), result
    return json.loads(result.value)


def test_a_trip_is_read_from_a_sentence() -> None:
    text = "two adults from Oslo to New York on 26 November 2026, business class, not refundable, at most $1,299.50"
    assert value(TRIP, text) == {
        "origin": "Oslo",
        "destination": "New York",
        "departure_date": "2026-11-26",
        "adults": 2,
        "cabin": "business",
        "refundable": False,
        "max_price": 1299.5,
    }


def test_each_value_says_where_it_was_found() -> None:
    text = "to Oslo, refundable"
    result = extract(TRIP, text)
    assert isinstance(result, Formatted)
    places = {
        one.pointer: (one.how, text[one.start : one.end] if one.start is not None else None) for one in result.sources
    }
    assert places == {
        "/destination": ("text", "Oslo"),
        "/refundable": ("boolean", "refundable"),
        "/max_price": ("null", None),
    }
    assert result.ungrounded == ()


def test_a_list_of_things_becomes_an_array_of_objects() -> None:
    assert value(ORDER, "3 apples and one olive oil, urgent please, to a.b@example.com") == {
        "items": [{"product": "apple", "quantity": 3}, {"product": "olive oil", "quantity": 1}],
        "email": "a.b@example.com",
        "tags": ["urgent"],
    }


def test_a_required_value_that_is_not_in_the_text_is_named() -> None:
    result = extract(TRIP, "hello")
    assert isinstance(result, FormatFailure)
    assert (result.code, result.pointer) == ("not_found", "/destination")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,299.50", 1299.5),
        ("1.299,50", 1299.5),
        ("1,299", 1299),
        ("2,5", 2.5),
        ("-3", -3),
        ("twenty-one", 21),
        ("two hundred and five", 205),
        ("a dozen", 12),
        ("3k", 3000),
        ("1.5 million", 1_500_000),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, found: float) -> None:
    assert value({"type": "number"}, f"about {text} in all") == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-11-26", "2026-11-26"),
        ("26.11.2026", "2026-11-26"),
        ("11/26/2026", "2026-11-26"),
        ("3/4/2026", "2026-04-03"),
        ("Nov 26th, 2026", "2026-11-26"),
        ("the 1st of March 2024", "2024-03-01"),
    ],
)
def test_dates_become_iso_dates(text: str, found: str) -> None:
    assert value({"type": "string", "format": "date"}, f"on {text}.") == found


@pytest.mark.parametrize("text", ["30 February 2026", "26 November", "2026-13-01"])
def test_what_is_no_whole_date_is_not_found(text: str) -> None:
    assert isinstance(extract({"type": "string", "format": "date"}, text), FormatFailure)


PICNIC: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "date": {"type": "string", "format": "date"},
        "guests": {"type": "integer", "maximum": 500},
    },
}


@pytest.mark.parametrize("required", [[], ["date"]])
def test_a_free_text_takes_no_piece_of_a_date(required: list[str]) -> None:
    text = "Company picnic on 12 June 2027 for 40 guests"
    assert value({**PICNIC, "required": required}, text) == {"date": "2027-06-12", "guests": 40}


def test_a_remark_leaves_its_number_to_another_field() -> None:
    properties = {"quantity": {"type": "integer"}, "note": {"type": ["string", "null"]}}
    schema = {"type": "object", "properties": properties, "required": ["quantity", "note"]}
    assert value(schema, "three, please") == {"quantity": 3, "note": "three, please"}


def test_a_number_in_a_name_is_no_other_value() -> None:
    properties = {"quantity": {"type": "integer"}, "destination": {"type": "string"}}
    assert value({"type": "object", "properties": properties}, "to Seven Dials") == {"destination": "Seven Dials"}


@pytest.mark.parametrize(
    "text",
    [
        "order AB-12 is late",
        "order INV-2026-0012",
        "part 12-XK",
        "call me at +44 20 7946 0958",
        "call me at +44 …",
        "ring 555-1234",
    ],
)
def test_the_digits_of_a_code_or_a_telephone_number_are_no_number(text: str) -> None:
    result = extract({"type": "number"}, text)
    assert isinstance(result, FormatFailure)
    assert result.code == "not_found"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("not broken, just late", {"problem": "late"}),
        ("broken, not late", {"problem": "broken"}),
        ("not only broken", {"problem": "broken"}),
        ("it isn’t broken", {}),
        ("no longer late", {}),
    ],
)
def test_a_denied_enum_value_is_not_stated(text: str, found: dict[str, str]) -> None:
    assert value({"type": "object", "properties": {"problem": {"enum": ["broken", "late"]}}}, text) == found


@pytest.mark.parametrize(
    ("kind", "text", "found", "ungrounded"),
    [
        ("time", "3pm", "15:00:00Z", True),
        ("time", "3pm UTC", "15:00:00Z", False),
        ("time", "15:00+02:00", "15:00:00+02:00", False),
        ("time", "3pm GMT-5", "15:00:00-05:00", False),
        ("time", "09:00-12:00", "09:00:00Z", True),
        ("date-time", "2027-06-12T15:00:00Z", "2027-06-12T15:00:00Z", False),
        ("date-time", "12 June 2027, 3pm", "2027-06-12T15:00:00Z", True),
        ("date-time", "12 June 2027", "2027-06-12T00:00:00Z", True),
        ("date", "03/04/2027", "2027-04-03", True),
        ("date", "03/14/2027", "2027-03-14", False),
        ("date", "03.04.2027", "2027-04-03", False),
    ],
)
def test_what_the_text_leaves_open_is_ungrounded(kind: str, text: str, found: str, ungrounded: bool) -> None:
    schema = {"type": "object", "properties": {"when": {"type": "string", "format": kind}}}
    result = extract(schema, text)
    assert isinstance(result, Formatted)
    assert json.loads(result.value) == {"when": found}
    assert result.ungrounded == (("/when",) if ungrounded else ())


def test_an_assumed_value_becomes_null_on_request_where_the_schema_allows_it() -> None:
    when = {"type": ["string", "null"], "format": "time"}
    schema = FormatSchema.from_json({"type": "object", "properties": {"when": {"type": "array", "items": when}}})
    [result] = ExtractiveFormatter().format([FormatRequest("4pm UTC or 3pm", schema, null_ungrounded=True)])
    assert isinstance(result, Formatted)
    assert (result.value, result.ungrounded) == (b'{"when":["16:00:00Z",null]}', ())
    assert [source.how for source in result.sources] == ["date", "null"]


@pytest.mark.parametrize(
    ("name", "text", "keyword"),
    [("guests", "900 guests", "maximum"), ("guests", "2.5 guests", "type"), ("date", "30 February 2027", "format")],
)
def test_a_value_that_the_schema_refuses_is_named_with_the_rule(name: str, text: str, keyword: str) -> None:
    result = extract({**PICNIC, "required": [name]}, text)
    assert isinstance(result, FormatFailure)
    assert (result.code, result.pointer, result.keyword) == ("does_not_validate", f"/{name}", keyword)


def test_bounds_choose_among_the_numbers() -> None:
    assert value({"type": "integer", "minimum": 10, "maximum": 20}, "3 or 15 or 40") == 15


def test_a_text_that_is_too_long_is_a_failure() -> None:
    result = extract(TRIP, "to Oslo " * 10_000)
    assert isinstance(result, FormatFailure)
    assert result.code == "too_long"


@pytest.mark.parametrize(
    "text", ["", "\x00\ufffd\u202e", "\ud800", "(((((" * 2_000, "1," * 9_000, "1 " * 9_000, "a: " * 6_000, '"' * 9_999]
)
def test_hostile_texts_end_in_a_result(text: str) -> None:
    for schema in (TRIP, ORDER):
        assert isinstance(extract(schema, text), (Formatted, FormatFailure))


def test_the_time_of_a_request_ends_the_work_on_a_large_schema() -> None:
    fields = {f"field_{number}": {"type": ["number", "null"]} for number in range(500)}
    schema = FormatSchema.from_json({"type": "object", "properties": fields})
    [result] = ExtractiveFormatter().format([FormatRequest("a 1 " * 4_000, schema, seconds=0.1)])
    assert isinstance(result, FormatFailure)
    assert result.code == "budget_ended"
