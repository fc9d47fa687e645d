"""What `sluice tail` writes to a terminal."""

from datetime import UTC, datetime

import orjson
import pytest

from sluicegate.agents.cli.console import line_of
from sluicegate.agents.kafka.record import Record

START = datetime(2026, 1, 31, tzinfo=UTC)


def line(value: bytes | None, headers: list[tuple[str, bytes | None]] | None = None) -> bytes:
    return line_of(Record("queries.raw", 0, 7, START, None, value, headers or []))


@pytest.mark.parametrize(
    "hidden",
    ["\x9b31m", "\x9d0;title\x9c", "\x85", "\x7f", "\u202e", "\u2066", "\u200b", "\u2028", "\ufeff", "\U000e0041"],
)
def test_a_terminal_is_never_given_what_it_may_obey(hidden: str) -> None:
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
