"""What `sluice tail` writes: a line of JSON, or a short line for people."""

from datetime import UTC, datetime

import orjson
import pytest

from sluicegate.agents.cli.record_lines import json_line, short_line
from sluicegate.agents.kafka.record import Record
from sluicegate.schemas.topics import TOPICS

START = datetime(2026, 1, 31, tzinfo=UTC)


def line(value: bytes | None, headers: list[tuple[str, bytes | None]] | None = None) -> bytes:
    return json_line(Record("queries.raw", 0, 7, START, None, value, headers or []))


@pytest.mark.parametrize(
    "hidden",
    ["\x9b31m", "\x9d0;title\x9c", "\x85", "\x7f", "\u202e", "\u2066", "\u200b", "\u2028", "\ufeff", "\U000e0041"],
)
def test_control_codes_never_reach_a_terminal(hidden: str) -> None:
    text = f"red{hidden}shoes"
    as_json = orjson.dumps({"query": text})
    for value, seen in ((as_json, {"query": text}), (text.encode(), text)):
        written = line(value, [(text, text.encode())])
        assert all(character.isprintable() for character in written.decode().rstrip("\n"))
        shown = orjson.loads(written)
        assert shown["value"] == seen
        assert shown["headers"] == {text: text}


def test_escape_sequences_of_the_first_kind_are_escaped_by_json() -> None:
    written = line(b"\x1b[31mred\x07", [("\x1b]0;", b"\x1b")])
    assert b"\x1b" not in written
    assert orjson.loads(written)["value"] == "\x1b[31mred\x07"


def test_a_record_is_one_line_whatever_the_layout_of_its_json() -> None:
    written = line(b'{\r\n\t"query": "red\\n shoes"\n}')
    assert written.count(b"\n") == 1
    assert orjson.loads(written)["value"] == {"query": "red\n shoes"}


def test_numbers_are_shown_as_they_were_written() -> None:
    assert b'"value":{"n": 1.10000000000000000001}' in line(b'{"n": 1.10000000000000000001}')


def test_a_tombstone_is_null() -> None:
    assert orjson.loads(line(None))["value"] is None


def short(event: str, value: bytes | None) -> str:
    return short_line(Record(f"queries.{event}", 0, 7, START, None, value, []), event).decode()


@pytest.mark.parametrize(
    ("event", "value", "gist"),
    [
        ("raw", {"query": "chep shoes"}, "chep shoes"),
        ("recall", {"lexical": "cheap shoes", "intent": "product_search"}, "cheap shoes  (product_search)"),
        ("ranking", {"scores": [{"name": "safety", "value": 0.987}]}, "safety 0.99"),
        ("blocked", {"category": "illicit", "probability": 0.98, "reason": "list:x"}, "illicit 0.98  (list:x)"),
        ("review", {"query": "you loser", "reason": "review_threshold:harassment"}, "you loser"),
        ("reviewed", {"allow": True, "reviewer": "team"}, "allowed by team"),
        ("deadletter", {"error": "not JSON: gzip data"}, "not JSON: gzip data"),
        ("ledger", {"outcome": "deadletter", "latency_ms": {"total": 12.34}}, "deadletter  12.3 ms"),
        (
            "ledger",
            {"outcome": "blocked", "latency_ms": {"total": 1}, "decision": {"reason": "list:x"}},
            "blocked  1.0 ms  (list:x)",
        ),
        ("actions_raw", {"text": "two tickets to Oslo"}, "two tickets to Oslo"),
        ("actions_formatted", {"value": {"tickets": 2}}, '{"tickets":2}'),
    ],
)
def test_a_short_line_says_what_matters_most_about_an_event(event: str, value: dict[str, object], gist: str) -> None:
    written = short(event, orjson.dumps({"event_id": "e1", **value}))
    assert written.startswith(f"00:00:00  {event}")
    assert " e1 " in written
    assert gist in written


@pytest.mark.parametrize("event", TOPICS)
@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"scores": [1], "probability": null, "latency_ms": 7}',
        b'{"query": "\\u001b[31m"}',
    ],
)
def test_a_short_line_is_one_printable_line_whatever_the_record_holds(event: str, value: bytes | None) -> None:
    written = short(event, value)
    assert written.endswith("\n")
    assert written[:-1].isprintable()


def test_a_short_line_is_cut_to_a_width_only_if_it_has_one() -> None:
    record = Record("queries.raw", 0, 7, START, None, orjson.dumps({"query": "very " * 100}), [])
    assert len(short_line(record, "raw", 60)) == 61
    assert short_line(record, "raw").count(b"very") == 100
