"""The contracts: what the code says, what the exported files say, and what crosses the wire are the same."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

import sluicegate.schemas
from sluicegate.schemas.codec import (
    DecodedAction,
    DecodedQuery,
    decode_raw_action,
    decode_raw_query,
    encode,
    event_id_of,
)
from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import (
    Blocked,
    Context,
    OutputEvent,
    Position,
    RawAction,
    RawQuery,
    Review,
    Reviewed,
    Threshold,
)
from sluicegate.schemas.export import export, json_schema
from sluicegate.schemas.reason_codes import KNOWN_CODES
from sluicegate.schemas.topics import TOPICS
from sluicegate.schemas.vocabulary import Category, Intent

EXPORTED = Path(sluicegate.schemas.__file__).parent / "json"
EVENTS = {name: topic.event for name, topic in TOPICS.items()}
OUTPUTS = [name for name in EVENTS if name not in ("raw", "actions_raw")]
VALIDATORS = {name: jsonschema_rs.validator_for(json_schema(name), validate_formats=True) for name in EVENTS}
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BLOCKED = Blocked(
    event_id="e1",
    event_time=NOW,
    processing_time=NOW,
    model_version="m@1",
    prompt_version="tuned-1",
    category="spam",
    probability=0.9,
    reason="block_threshold:spam",
    reason_codes=["block_threshold:spam"],
    context=Context(),
)

characters = st.characters(exclude_categories=["Cs"])
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(characters, max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(characters, max_size=5), inner, max_size=3),
    max_leaves=5,
)


def values_of(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Every value that a field of this type may have; the events' own types are the only source."""
    match kind:
        case inspect.Metadata(type=inner):
            return values_of(inner)
        case inspect.StrType(pattern=str(pattern)):
            return st.from_regex(pattern.replace("$", r"\Z"))
        case inspect.StrType(min_length=low, max_length=high):
            return st.text(characters, min_size=low or 0, max_size=min(high or 20, 20))
        case inspect.IntType(ge=low, le=high):
            return st.integers(low, high or 2**53)
        case inspect.FloatType(ge=low, le=high):
            return st.floats(low, high, allow_nan=False, allow_infinity=False)
        case inspect.DateTimeType():
            return st.datetimes(timezones=st.just(UTC))
        case inspect.BytesType():
            return st.binary(max_size=20)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.LiteralType(values=choices):
            return st.sampled_from(choices)
        case inspect.UnionType(types=kinds):
            return st.one_of(*map(values_of, kinds))
        case inspect.ListType(item_type=item):
            return st.lists(values_of(item), max_size=3)
        case inspect.AnyType():
            return json_values
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(values_of(key), values_of(value), max_size=3)
        case inspect.StructType(cls=struct) if struct is Threshold:
            return st.tuples(st.floats(0, 1), st.floats(0, 1)).map(
                lambda two: Threshold(allow=min(two), block=max(two))
            )
        case inspect.StructType(cls=struct, fields=fields) if struct is Reviewed:
            parts = {field.name: values_of(field.type) for field in fields}
            return st.booleans().flatmap(
                lambda appeal: st.builds(
                    Reviewed,
                    **parts
                    | {"review": st.none() if appeal else values_of(inspect.type_info(Review))}
                    | {"blocked": values_of(inspect.type_info(Position)) if appeal else st.none()},
                )
            )
        case inspect.StructType(cls=struct, fields=fields) if struct is RawAction:
            parts = {field.name: values_of(field.type) for field in fields}
            inline = {"schema": st.dictionaries(st.text(characters, max_size=5), json_values, max_size=3)}
            by_id = {"schema": st.none(), "schema_id": st.text(characters, min_size=1, max_size=20)}
            none = {"schema_id": st.none(), "schema_version": st.none()}
            return st.builds(RawAction, **parts | none | inline) | st.builds(RawAction, **parts | by_id)
        case inspect.StructType(cls=struct, fields=fields):
            return st.builds(struct, **{field.name: values_of(field.type) for field in fields})
        case other:
            raise AssertionError(f"no values for {other}")


EVENT_VALUES = {name: values_of(inspect.type_info(event)) for name, event in EVENTS.items()}


# --- exported files


def test_the_exported_files_are_what_the_code_says(tmp_path: Path) -> None:
    fresh = {path.name: path.read_bytes() for path in export(tmp_path)}
    committed = {path.name: path.read_bytes() for path in EXPORTED.glob("*.json")}
    committed.pop("openapi.json")  # of the HTTP API: tests/unit/agents/http/test_openapi.py
    assert fresh == committed, "run `make schemas`"


@pytest.mark.parametrize("name", EVENTS)
def test_every_exported_schema_is_a_json_schema_of_2020_12(name: str) -> None:
    schema = json.loads((EXPORTED / f"{name}.schema.json").read_bytes())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(schema)


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_output_names_its_schema_and_what_every_output_carries(name: str) -> None:
    schema = json_schema(name)
    assert schema["properties"]["schema"]["const"] == f"sluicegate.{name}"
    assert {"schema", "schema_version", "event_id", "event_time", "processing_time"} <= set(schema["required"])
    assert {"model_version", "prompt_version"} <= set(schema["required"])


def test_a_raw_query_needs_nothing_but_its_query() -> None:
    assert json_schema("raw")["required"] == ["query"]


def test_a_raw_action_needs_its_text_and_its_schema_as_such_or_by_name() -> None:
    assert json_schema("actions_raw")["required"] == ["text"]
    assert VALIDATORS["actions_raw"].is_valid({"text": "a", "schema_id": "order"})


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = json.loads((EXPORTED / "asyncapi.json").read_bytes())
    references = list(_references(document))
    assert len(references) >= 4 * len(EVENTS)
    for reference in references:
        file, _, pointer = reference.partition("#/")
        target = json.loads((EXPORTED / file).read_bytes()) if file else document
        for key in pointer.split("/") if pointer else ():
            target = target[key]
        assert target


def _references(node: object) -> Iterator[str]:
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    if isinstance(node, dict) and "$ref" in node:
        yield node["$ref"]
    for child in children:
        yield from _references(child)


# --- events out


@pytest.mark.parametrize("name", OUTPUTS)
@given(data=st.data())
def test_every_event_that_can_be_made_is_valid_by_its_exported_schema(name: str, data: st.DataObject) -> None:
    event = data.draw(EVENT_VALUES[name])
    encoded = encode(event)
    VALIDATORS[name].validate(json.loads(encoded))
    assert msgspec.json.decode(encoded, type=EVENTS[name]) == event


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"probability": 2.0}, "$.probability"),
        ({"probability": float("nan")}, "$.probability"),
        ({"event_id": ""}, "$.event_id"),
        ({"event_id": "x" * 201}, "$.event_id"),
        ({"event_time": datetime(2026, 1, 1)}, "$.event_time"),  # noqa: DTZ001 - without a zone on purpose
        ({"gate": "oracle"}, "$.gate"),
        ({"reason_codes": ["fine", ""]}, "$.reason_codes[1]"),
        ({"category": "\ud800"}, "surrogates"),
    ],
)
def test_a_broken_event_is_refused_and_the_field_named(broken: dict[str, object], said: str) -> None:
    with pytest.raises(ContractError) as refused:
        encode(msgspec.structs.replace(BLOCKED, **broken))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("broken", [{"probability": 2.0}, {"event_id": ""}, {"schema_version": 2}, {"allow": True}])
def test_the_exported_schema_refuses_what_the_code_refuses(broken: dict[str, object]) -> None:
    document = msgspec.to_builtins(BLOCKED)
    assert VALIDATORS["blocked"].is_valid(document)
    assert not VALIDATORS["blocked"].is_valid(document | broken)


@pytest.mark.parametrize("name", EVENTS)
def test_every_field_of_an_exported_schema_is_described(name: str) -> None:
    schema = json_schema(name)
    for part in (schema, *schema["$defs"].values()):
        assert part["description"]
        undescribed = [field for field, of in part["properties"].items() if not of["description"]]
        assert undescribed == [], part["title"]


@pytest.mark.parametrize(
    ("name", "field", "known"),
    [
        ("recall", "intent", {word.value for word in Intent}),
        ("recall", "reason_codes", set(KNOWN_CODES)),
        ("blocked", "category", {word.value for word in Category}),
    ],
)
def test_known_values_are_examples_and_other_values_are_valid(name: str, field: str, known: set[str]) -> None:
    schema = json_schema(name)["properties"][field]
    schema = schema.get("items", schema)
    assert set(schema["examples"]) == known
    assert jsonschema_rs.validator_for(schema).is_valid("a value of a later version")


def test_an_appeal_points_to_the_blocked_event_and_repeats_no_query() -> None:
    appeal = Reviewed(
        **{name: getattr(BLOCKED, name) for name in ("event_id", "event_time", "processing_time")},
        model_version="m@1",
        prompt_version="p-1",
        allow=True,
        reviewer="appeals",
        blocked=Position(topic="queries.blocked", partition=1, offset=7),
    )
    VALIDATORS["reviewed"].validate(json.loads(encode(appeal)))


def test_a_reviewed_event_without_a_review_and_without_a_blocked_event_is_refused() -> None:
    broken = {"allow": True, "reviewer": "r", **msgspec.to_builtins(BLOCKED)}
    broken |= {"schema": "sluicegate.reviewed", "category": None}
    with pytest.raises(msgspec.ValidationError, match="exactly one of `review` and `blocked`"):
        msgspec.convert(broken, Reviewed)


def test_a_blocked_event_does_not_repeat_the_query() -> None:
    assert "query" not in json_schema("blocked")["properties"]


# --- raw queries in

raw_documents = st.fixed_dictionaries(
    {},
    optional={
        field: json_values | values
        for field, values in {
            "query": st.text(characters, max_size=20),
            "event_id": st.text(characters, max_size=5),
            "event_time": st.datetimes().map(lambda time: f"{time.isoformat()}+05:30"),
            "deadline_ms": st.integers(-1, 70_000),
            "something_else": st.none(),
        }.items()
    },
)


@given(st.binary() | raw_documents.map(orjson.dumps) | json_values.map(orjson.dumps))
def test_any_bytes_are_a_raw_query_or_a_contract_error(value: bytes) -> None:
    event_id_of(value)
    try:
        decoded = decode_raw_query(value)
    except ContractError:
        return
    VALIDATORS["raw"].validate(json.loads(msgspec.json.encode(decoded.query)))
    if not decoded.codes:
        VALIDATORS["raw"].validate(json.loads(value.decode("utf-8-sig", "replace")))


@given(EVENT_VALUES["raw"])
def test_every_raw_query_that_can_be_made_is_read_back_with_its_time_in_utc(query: RawQuery) -> None:
    read = decode_raw_query(msgspec.json.encode(query))
    assert read == DecodedQuery(query, ())
    assert read.query.event_time is None or read.query.event_time.tzinfo is UTC


def test_unknown_fields_are_ignored() -> None:
    assert decode_raw_query(b'{"query": "shoes", "colour": {"deep": [1]}}') == DecodedQuery(RawQuery(query="shoes"), ())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "tombstone"),
        (b"", "not JSON"),
        (b'{"query": "half', "not JSON"),
        (b'{"query": "\xff"}', "not UTF-8 - at `$.query`"),
        (b"[" * 5000, "not JSON"),
        (b"null", "Expected `object`"),
        (b"[]", "Expected `object`"),
        (b"{}", "`query`"),
        (b'{"query": null}', "$.query"),
        (b'{"query": ""}', "$.query"),
    ],
)
def test_an_invalid_raw_query_is_refused_and_the_field_named(value: bytes | None, said: str) -> None:
    with pytest.raises(ContractError) as refused:
        decode_raw_query(value)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_time_with_an_offset_is_turned_into_utc() -> None:
    read = decode_raw_query(b'{"query": "a", "event_time": "2026-01-01T03:30:00+05:30"}')
    assert str(read.query.event_time) == "2025-12-31 22:00:00+00:00"


@pytest.mark.parametrize(
    ("value", "event_id"),
    [
        (b'{"event_id": "e1", "query": 7}', "e1"),
        (b'{"event_id": "", "query": "a"}', None),
        (b'{"event_id": 7}', None),
        (b'{"event_id": "e1"', None),
        (b"[]", None),
        (None, None),
    ],
)
def test_the_producers_id_is_saved_from_a_broken_event_if_it_can_be_made_out(
    value: bytes | None, event_id: str | None
) -> None:
    assert event_id_of(value) == event_id


def test_every_output_type_has_an_exported_schema() -> None:
    assert set(OutputEvent.__args__) == {EVENTS[name] for name in OUTPUTS}


@given(EVENT_VALUES["actions_raw"])
def test_every_raw_action_that_can_be_made_is_read_back_with_its_time_in_utc(action: RawAction) -> None:
    encoded = msgspec.json.encode(action)
    VALIDATORS["actions_raw"].validate(json.loads(encoded))
    read = decode_raw_action(encoded)
    assert read == DecodedAction(action, ())
    assert read.action.event_time is None or read.action.event_time.tzinfo is UTC
