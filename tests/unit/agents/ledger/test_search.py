"""Where `explain` finds the record of an event."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from sluicegate.agents.ledger.search import LedgerFile
from sluicegate.schemas.errors import ContractError, StreamFailed
from sluicegate.schemas.events import Position
from tests.support.replays import entry

SOURCE = Position(topic="queries.raw", partition=0, offset=0)


def ledger_of(folder: Path, *lines: bytes) -> LedgerFile:
    path = folder / "ledger.jsonl"
    path.write_bytes(b"\n".join(lines))
    return LedgerFile(path)


def recorded(minute: int, **more: object) -> bytes:
    return entry(1, SOURCE, **{"processing_time": datetime(2026, 1, 31, 12, minute, tzinfo=UTC), **more})


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


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
OUTPUT = Position(topic="queries.blocked", partition=2, offset=41)
PUBLISHED = Position(topic="queries.blocked", partition=2, offset=42)


def test_an_event_is_found_by_its_trace_and_by_the_positions_of_its_raw_record_and_outputs(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path, entry(2, Position(topic="t", partition=0, offset=9)), recorded(1, trace_id=TRACE))
    also = ledger_of(tmp_path, entry(2, OUTPUT), recorded(1, outputs=[PUBLISHED], trace_id=TRACE))
    for found in (ledger, also):
        for name in ("event-1", TRACE):
            assert [record.event_id for record in found.records_of(name)[1]] == ["event-1"]
    assert ledger.records_of("queries.raw-0-0")[0] == "event-1"
    assert also.records_of("queries.blocked-2-42")[0] == "event-1"


def test_all_records_of_an_event_come_in_the_order_of_time_with_replays_that_have_another_id(tmp_path: Path) -> None:
    replay = recorded(7, event_id="queries.raw-0-8", replay_of="queries.raw-0-0")
    first = {"event_id": "queries.raw-0-0"}
    ledger = ledger_of(tmp_path, replay, recorded(5, shadow=True, **first), recorded(3, **first), recorded(3, **first))
    event_id, records = ledger.records_of("queries.raw-0-0")
    assert event_id == "queries.raw-0-0"
    assert [record.processing_time.minute for record in records] == [3, 5, 7]


def test_a_name_of_several_events_is_refused_and_their_ids_are_listed(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path, entry(1, SOURCE, trace_id=TRACE), entry(2, OUTPUT, trace_id=TRACE))
    for name in (TRACE, None):
        with pytest.raises(ContractError, match="2 events: ask for one of 'event-1', 'event-2'"):
            ledger.records_of(name)


def test_a_file_about_one_event_needs_no_name(tmp_path: Path) -> None:
    assert ledger_of(tmp_path, b"", recorded(1), recorded(2)).records_of(None)[0] == "event-1"
    assert ledger_of(tmp_path, b"").records_of(None) == ("", [])
