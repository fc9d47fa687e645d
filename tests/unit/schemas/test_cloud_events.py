"""CloudEvents, as their own Python SDK writes them to Kafka, are raw events."""

import base64
from datetime import UTC, datetime

import orjson
import pytest

from sluicegate.schemas.cloud_events import trace_headers
from sluicegate.schemas.codec import decode_raw_action, decode_raw_query, event_id_of
from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import RawQuery
from sluicegate.schemas.headers import Headers

TIME = datetime(2026, 11, 26, 15, 17, 41, tzinfo=UTC)
READ = RawQuery(query="red shoes", event_id="ce-1", event_time=TIME, user_id="u-17")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def structured(**changes: object) -> bytes:
    """A CloudEvent in structured mode; a change to None leaves the attribute out."""
    event: dict[str, object] = {
        "specversion": "1.0",
        "type": "search",
        "source": "/web",
        "id": "ce-1",
        "time": "2026-11-26T15:17:41Z",
        "data": {"query": "red shoes", "user_id": "u-17"},
        **changes,
    }
    return orjson.dumps({name: value for name, value in event.items() if value is not None})


BINARY: Headers = [("ce_specversion", b"1.0"), ("ce_id", b"ce-1"), ("ce_time", b"2026-11-26T15:17:41Z")]
DATA = b'{"query": "red shoes", "user_id": "u-17"}'


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (structured(), []),
        (structured(data=None, data_base64=base64.b64encode(DATA).decode()), []),
        (DATA, BINARY),
        (DATA, [(name.title(), value) for name, value in BINARY]),
    ],
    ids=["structured", "base64", "binary", "binary, in another case"],
)
def test_id_and_time_of_a_cloud_event_are_those_of_the_event(value: bytes, headers: Headers) -> None:
    assert decode_raw_query(value, headers) == (READ, ())
    assert event_id_of(value, headers) == "ce-1"


@pytest.mark.parametrize("envelope", ["structured", "binary"])
def test_an_id_in_the_data_comes_first(envelope: str) -> None:
    data = {"query": "red shoes", "event_id": "own"}
    value, headers = (structured(data=data), []) if envelope == "structured" else (orjson.dumps(data), BINARY)
    decoded = decode_raw_query(value, headers).query
    assert (decoded.event_id, decoded.event_time) == ("own", TIME)
    assert event_id_of(value, headers) == "own"


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (structured(id="i" * 201, time="yesterday"), []),
        (structured(id=7, time=[1]), []),
        (DATA, [("ce_id", b"i" * 201), ("ce_time", b"yesterday")]),
        (DATA, [("ce_id", b"\xff"), ("ce_time", b"\xff")]),
        (DATA, [("ce_id", b""), ("ce_time", b"")]),
    ],
)
def test_attributes_that_no_field_accepts_are_dropped_with_a_reason_code(value: bytes, headers: Headers) -> None:
    decoded = decode_raw_query(value, headers)
    assert decoded.query == RawQuery(query="red shoes", user_id="u-17")
    assert set(decoded.codes) == {"dropped:event_id", "dropped:event_time"}
    assert event_id_of(value, headers) is None


def test_an_attribute_without_a_value_is_none() -> None:
    assert decode_raw_query(DATA, [("ce_id", None)]) == (RawQuery(query="red shoes", user_id="u-17"), ())


def test_an_action_may_be_the_data() -> None:
    decoded = decode_raw_action(structured(data={"text": "remind me", "schema_id": "reminder"}))
    assert (decoded.action.text, decoded.action.event_id) == ("remind me", "ce-1")


def test_a_cloud_event_with_a_query_at_the_top_is_a_raw_query() -> None:
    assert decode_raw_query(structured(query="a")).query.query == "a"
    assert decode_raw_query(structured(query="a", user_id=7)).query.query == "a"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (structured(data=None), "a CloudEvents envelope without `data`"),
        (structured(data="red shoes"), "CloudEvents: not a raw query: Expected `object`, got `str`"),
        (structured(data={"q": "a"}), "CloudEvents: not a raw query: Object missing required field `query`"),
        (structured(data=None, data_base64="%"), "`data_base64` is not base64"),
        (structured(data=None, data_base64="AAAA"), "not JSON"),
        (b"\x00\x00\x00\x00\x07" + structured(data=7), "schema id 7: CloudEvents: not a raw query"),
    ],
)
def test_the_error_says_what_is_wrong_with_the_envelope(value: bytes, said: str) -> None:
    with pytest.raises(ContractError) as refused:
        decode_raw_query(value)
    assert said in str(refused.value)


def test_with_input_format_json_an_envelope_is_no_event_but_the_headers_of_binary_mode_count() -> None:
    with pytest.raises(ContractError, match=r"^CloudEvents: set SLUICE_INPUT_FORMAT=auto"):
        decode_raw_query(structured(), input_format="json")
    assert decode_raw_query(DATA, BINARY, "json").query == READ


def test_the_trace_of_a_cloud_event_counts_where_the_record_has_none() -> None:
    attribute: Headers = [("ce_traceparent", TRACEPARENT.encode()), ("CE_tracestate", b"a=b")]
    assert trace_headers(attribute, DATA)[-2:] == [("traceparent", TRACEPARENT.encode()), ("tracestate", b"a=b")]
    own: Headers = [("Traceparent", b"of the record"), *attribute]
    assert trace_headers(own, DATA) is own
    content_type: Headers = [("Content-Type", b"application/cloudevents+json; charset=UTF-8")]
    found = trace_headers(content_type, structured(traceparent=TRACEPARENT))
    assert found[-1] == ("traceparent", TRACEPARENT.encode())
    for without in ([], [("content-type", b"application/json")]):
        assert trace_headers(without, structured(traceparent=TRACEPARENT))[-1] == found[-1]


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ([], b'{"query": "\\"specversion\\"", "traceparent": "' + TRACEPARENT.encode() + b'"}'),
        ([("content-type", b"application/json")], b'{"traceparent": "' + TRACEPARENT.encode() + b'"}'),
        ([("content-type", b"application/cloudevents+json")], b'{"traceparent": 7}'),
        ([("content-type", b"application/cloudevents+json")], b"\xff"),
        ([("content-type", b"application/cloudevents+json")], None),
        ([("content-type", None), ("ce_tracestate", b"a=b")], DATA),
    ],
)
def test_other_records_have_the_trace_of_their_headers_alone(headers: Headers, value: bytes | None) -> None:
    assert trace_headers(headers, value) is headers
