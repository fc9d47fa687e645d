"""Where `explain` finds the record of an event."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from sluicegate.agents.mcp.ledger import LedgerFile
from sluicegate.schemas.errors import StreamFailed
from sluicegate.schemas.events import Position
from tests.support.replays import entry

SOURCE = Position(topic="queries.raw", partition=0, offset=0)


def ledger_of(folder: Path, *lines: bytes) -> LedgerFile:
    path = folder / "ledger.jsonl"
    path.write_bytes(b"\n".join(lines))
    return LedgerFile(path)


def recorded(minute: int, **more: object) -> bytes:
    return entry(1, SOURCE, processing_time=datetime(2026, 1, 31, 12, minute, tzinfo=UTC), **more)


def test_the_newest_record_of_an_event_is_found_whatever_their_order(tmp_path: Path) -> None:
    ledger = ledger_of(
        tmp_path, entry(2, SOURCE), recorded(5, model_version="new@1"), recorded(3, model_version="old@1")
    )
    found = ledger.find("event-1")
    assert found
    assert found.model_version == "new@1"


def test_what_a_shadow_model_would_have_decided_counts_only_without_another_record(tmp_path: Path) -> None:
    shadow = recorded(5, model_version="shadow@1", shadow=True)
    both = ledger_of(tmp_path, shadow, recorded(3, model_version="served@1")).find("event-1")
    alone = ledger_of(tmp_path, shadow).find("event-1")
    assert both
    assert alone
    assert (both.model_version, alone.model_version) == ("served@1", "shadow@1")


def test_lines_of_sluice_tail_are_read_too(tmp_path: Path) -> None:
    line = b'{"topic": "queries.ledger", "partition": 0, "offset": 1, "headers": {}, "value": %s}' % recorded(1)
    assert ledger_of(tmp_path, line).find("event-1")


def test_lines_that_are_no_ledger_records_are_left_out(tmp_path: Path) -> None:
    broken = [b"", b"\xff event-1", b"[" * 100_000 + b"event-1", b'{"event_id": "event-1"}', b'"event-1"', b"null"]
    ledger = ledger_of(tmp_path, *broken)
    assert ledger.find("event-1") is None
    assert ledger_of(tmp_path, *broken, recorded(1)).find("event-1")


def test_an_id_that_json_escapes_is_found(tmp_path: Path) -> None:
    record = orjson.loads(recorded(1)) | {"event_id": 'a "quoted" \u00e9'}
    assert ledger_of(tmp_path, orjson.dumps(record)).find('a "quoted" \u00e9')
    escaped = orjson.dumps(record).decode().encode("ascii", "backslashreplace").replace(b"\\xe9", b"\\u00e9")
    assert ledger_of(tmp_path, escaped).find('a "quoted" \u00e9')


def test_a_file_that_cannot_be_read_is_named_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(StreamFailed, match=r"none\.jsonl: No such file"):
        LedgerFile(tmp_path / "none.jsonl")
    with pytest.raises(StreamFailed, match="Is a directory"):
        LedgerFile(tmp_path)
