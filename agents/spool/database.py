"""The SQLite database of a spool: its form, and its rows as records."""

import sqlite3
from collections.abc import Iterable
from typing import Final

import msgspec

from sluicegate.agents.spool.record import SpoolRecord, StoredRecord, checksum
from sluicegate.agents.sqlite_file import DatabaseKind
from sluicegate.schemas.errors import SpoolFailed

SPOOL: Final = DatabaseKind(
    name="spool",
    setting="SLUICE_SPOOL",
    application_id=0x534C5350,
    format=1,
    # AUTOINCREMENT: a number is never used again, so publishing cannot delete a record that took an old one's place.
    schema="""
CREATE TABLE records (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    id TEXT NOT NULL,
    key BLOB,
    value BLOB NOT NULL,
    headers BLOB NOT NULL,
    added_ms INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    UNIQUE (topic, id)
) STRICT;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
INSERT INTO counters VALUES ('dropped', 0);
""",
    failure=SpoolFailed,
)

_READ: Final = (
    "SELECT number, topic, id, key, value, headers, added_ms, crc FROM records WHERE number > ? ORDER BY number LIMIT ?"
)
_decode_headers = msgspec.json.Decoder(tuple[tuple[str, bytes | None], ...]).decode


def row_of(record: SpoolRecord, added_ms: int) -> tuple[object, ...]:
    """The columns of `record`, without its number."""
    headers = msgspec.json.encode(record.headers)
    crc = checksum(record.topic, record.id, record.key, record.value, headers)
    return record.topic, record.id, record.key, record.value, headers, added_ms, crc


def read_records(connection: sqlite3.Connection, *, after: int, limit: int = -1) -> Iterable[StoredRecord]:
    """Up to `limit` records with numbers above `after`, in the order of their numbers; -1 means all."""
    for row in connection.execute(_READ, (after, limit)):
        found, topic, record_id, key, value, headers, added_ms, crc = row
        intact = crc == checksum(topic, record_id, key, value, headers)
        decoded = _decode_headers(headers) if intact else ()
        yield StoredRecord(found, SpoolRecord(topic, record_id, value, key, decoded), added_ms, intact)
