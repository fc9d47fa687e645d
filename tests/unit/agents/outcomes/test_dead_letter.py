"""What a dead letter keeps of its record."""

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from sluicegate.agents.deciding.ledger_record import Stamp
from sluicegate.agents.kafka.record import Record
from sluicegate.agents.outcomes.dead_letter import MAX_PART_BYTES, make_dead_letter, shorten_dead_letter
from sluicegate.schemas.codec import encode
from sluicegate.schemas.errors import ContractError

TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)
STAMP = Stamp("event-1", TIME, "m@1", "p1")
RECORD = Record(
    "queries.raw", 3, 17, TIME, b"key", b'{"query": "Chep Red Shoes"}', [("twice", b"\xff"), ("twice", None)]
)


def letter_of(record: Record, error: Exception) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(encode(make_dead_letter(record, error, STAMP)))
    return document


def test_a_dead_letter_holds_the_record_byte_for_byte() -> None:
    letter = letter_of(RECORD, ContractError("not JSON"))
    assert (letter["error_type"], letter["error"]) == ("ContractError", "not JSON")
    assert letter["source"] == {"topic": "queries.raw", "partition": 3, "offset": 17}
    assert base64.b64decode(letter["key"]) == b"key"
    assert base64.b64decode(letter["value"]) == RECORD.value
    assert [(header["name"], header["value"]) for header in letter["headers"]] == [("twice", "/w=="), ("twice", None)]
    assert [part for part in ("value", "headers", "key") if letter[f"{part}_omitted"]] == []


def test_a_header_name_that_is_not_utf_8_is_shown_and_kept() -> None:
    names = [b"\xff\xfe", b"half\xc3", "кеды".encode(), b"back\\slash"]
    record = replace(RECORD, headers=[(name.decode(errors="surrogateescape"), b"v") for name in names])
    headers = letter_of(record, ContractError("broken"))["headers"]
    assert [header["name"] for header in headers] == ["\\xff\\xfe", "half\\xc3", "кеды", "back\\slash"]
    kept = [base64.b64decode(header["name_bytes"]) if header["name_bytes"] else None for header in headers]
    assert kept == [b"\xff\xfe", b"half\xc3", None, None]


def test_an_error_is_cut_and_never_empty() -> None:
    assert letter_of(RECORD, ValueError())["error"] == "ValueError"
    assert len(letter_of(RECORD, ValueError("x" * 5000))["error"]) == 1000


BULK = b"\x00" * (MAX_PART_BYTES + 1)


@pytest.mark.parametrize(
    ("record", "omitted"),
    [
        (RECORD, {"value"}),
        (replace(RECORD, value=BULK), {"value"}),
        (replace(RECORD, headers=[("large", BULK)]), {"value", "headers"}),
        (replace(RECORD, headers=[("n", b"")] * 5000), {"value", "headers"}),
        (replace(RECORD, key=BULK), {"value", "key"}),
        (replace(RECORD, key=BULK, headers=[("large", BULK)]), {"value", "headers", "key"}),
        (replace(RECORD, key=None, value=None, headers=[]), {"value"}),
    ],
)
def test_a_reference_leaves_out_the_value_and_each_large_part_and_names_them(record: Record, omitted: set[str]) -> None:
    whole = make_dead_letter(record, ContractError("broken"), STAMP)
    assert whole.is_whole
    encoded = encode(shorten_dead_letter(whole))
    letter = orjson.loads(encoded)
    assert not shorten_dead_letter(whole).is_whole
    assert {part for part in ("value", "headers", "key") if letter[f"{part}_omitted"]} == omitted
    assert [part for part in omitted if letter[part]] == []
    assert letter["source"] == {"topic": "queries.raw", "partition": 3, "offset": 17}
    assert len(encoded) < 400_000
