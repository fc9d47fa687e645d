"""The one decoder of raw queries: only `query` can cost the user the search."""

import pytest

from sluicegate.models.text.normalise import normalise
from sluicegate.schemas.codec import decode_raw_query, event_id_of
from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import RawQuery
from sluicegate.schemas.reason_codes import NormaliseCode

LONG_NUMBER = b"1" * 500


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_id", b"7"),
        ("event_id", b'""'),
        ("event_id", b'"%s"' % (b"x" * 201)),
        ("user_id", b"42"),
        ("user_id", b'""'),
        ("user_id", b'"\\ud800"'),
        ("user_id", b'"\xff"'),
        ("session_id", b"[]"),
        ("locale", b"{}"),
        ("surface", b"true"),
        ("deadline_ms", b"0"),
        ("deadline_ms", LONG_NUMBER),
        ("deadline_ms", b"1e999"),
        ("event_time", b'"yesterday"'),
        ("event_time", b"1712345678901"),
        ("event_time", b'"1505194400.0"'),
        ("event_time", b'"2026-01-01T00:00:00"'),
        ("event_time", b'"0001-01-01T00:00:00+14:00"'),
        ("event_time", b'"9999-12-31T23:59:59-14:00"'),
    ],
)
def test_an_optional_field_that_breaks_its_contract_is_dropped_with_a_reason_code(field: str, value: bytes) -> None:
    decoded = decode_raw_query(b'{"query": "red shoes", "locale": "en", "%s": %s}' % (field.encode(), value))
    assert decoded.query.query == "red shoes"
    assert getattr(decoded.query, field) is None
    assert decoded.codes == (f"dropped:{field}",)
    assert field == "locale" or decoded.query.locale == "en"


def test_every_broken_optional_field_is_named() -> None:
    decoded = decode_raw_query(b'{"query": "a", "user_id": 1, "surface": 2, "locale": "en"}')
    assert decoded.query == RawQuery(query="a", locale="en")
    assert decoded.codes == ("dropped:user_id", "dropped:surface")


@pytest.mark.parametrize("value", [LONG_NUMBER, b"-" + LONG_NUMBER, b"1" * 5000, b"1e999", b'"\\ud800"', b'"\xff"'])
def test_an_ignored_field_costs_nothing(value: bytes) -> None:
    assert decode_raw_query(b'{"query": "a", "other": %s}' % value) == (RawQuery(query="a"), ())
    assert decode_raw_query(b'{"query": "a", "other": %s, "user_id": 7}' % value).query == RawQuery(query="a")


@pytest.mark.parametrize("escape", [b"\\ud800", b"\\udc00", b"\\udc80", b"\\udc00\\ud800"])
def test_a_lone_surrogate_in_the_query_is_repaired_and_the_repair_has_a_reason_code(escape: bytes) -> None:
    decoded = decode_raw_query(b'{"query": "red %s shoes"}' % escape)
    normalised = normalise(decoded.query.query)
    assert normalised.text == "red shoes"
    assert NormaliseCode.ENCODING_REPAIRED in normalised.codes


def test_a_surrogate_pair_is_one_character() -> None:
    assert decode_raw_query(b'{"query": "\\ud83d\\udc5f", "user_id": 7}').query.query == "\N{ATHLETIC SHOE}"


@pytest.mark.parametrize("first", [b'"blue socks"', b"7"], ids=["read in one pass", "read leniently"])
def test_of_a_key_that_is_there_twice_the_last_value_counts(first: bytes) -> None:
    assert decode_raw_query(b'{"query": %s, "query": "red shoes"}' % first).query.query == "red shoes"


def test_a_byte_order_mark_is_accepted() -> None:
    assert decode_raw_query(b'\xef\xbb\xbf{"query": "a"}').query == RawQuery(query="a")
    assert event_id_of(b'\xef\xbb\xbf{"query": "a", "event_id": "e1"}') == "e1"


@pytest.mark.parametrize(
    "value",
    [
        b'{"query": "a", "event_id": "e1", "user_id": 7}',
        b'{"query": "a", "event_id": 7}',
        b'{"query": "a", "event_id": "\\ud800"}',
        b'{"query": "a", "event_id": null}',
        b'{"query": "a", "event_id": "e1", "other": %s}' % LONG_NUMBER,
        b'{"query": "\\ud800", "event_id": "e1"}',
    ],
)
def test_replay_and_worker_agree_on_the_event_id(value: bytes) -> None:
    assert event_id_of(value) == decode_raw_query(value).query.event_id


def test_an_error_does_not_repeat_the_payload() -> None:
    for value in (b'{"query": "secret', b'{"query": 7, "user_id": "secret"}', b'"secret"', b"secret", b"[secret]"):
        with pytest.raises(ContractError) as refused:
            decode_raw_query(value)
        assert "secret" not in str(refused.value)
