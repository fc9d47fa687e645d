"""The SQLite database of a spool: its form, how it is opened, and what its errors mean.

WAL with `synchronous=FULL`: what was committed survives a power failure (https://sqlite.org/pragma.html#pragma_synchronous).
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, cast

import msgspec

from sluicegate.agents.spool.record import SpoolRecord, StoredRecord, checksum
from sluicegate.schemas.errors import ConfigurationError, SpoolFailed

_APPLICATION_ID: Final = 0x534C5350
_FORMAT: Final = 1
_CHECKPOINT_PAGES: Final = 256
_LARGEST_LOG: Final = 1 << 20
_BUSY_S: Final = 30.0
"""How long a transaction waits for the one of another process: adding and publishing take turns."""

# AUTOINCREMENT: a number is never used again, so publishing cannot delete a record that took an old one's place.
_SCHEMA: Final = """
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
"""

_READ: Final = (
    "SELECT number, topic, id, key, value, headers, added_ms, crc FROM records WHERE number > ? ORDER BY number LIMIT ?"
)
_decode_headers = msgspec.json.Decoder(tuple[tuple[str, bytes | None], ...]).decode


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The database at `path`, which is made if the file is missing or empty.

    Raises:
        sqlite3.Error: it cannot be opened, or is corrupt.
        ConfigurationError: it is a database, and not a spool.
    """
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        if not _is_spool(connection, path):
            connection.execute("PRAGMA journal_mode=WAL")
            with transaction(connection):
                for statement in _SCHEMA.strip().split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version={_FORMAT}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit={_LARGEST_LOG}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def open_for_reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The database at `path`, which other processes may be using.

    Raises:
        SpoolFailed: there is none, or it is corrupt, or it cannot be read.
        ConfigurationError: it is no spool.
    """
    try:
        path.open("rb").close()  # SQLite says only that it cannot open it
    except OSError as error:
        raise SpoolFailed(f"cannot read the spool {path}: {error.strerror}") from None
    with (
        spool_errors(path),
        closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S, isolation_level=None)
        ) as connection,
    ):
        if not _is_spool(connection, path):
            raise ConfigurationError(f"{path} is empty: nothing was ever added to it")
        yield connection


@contextmanager
def spool_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into SpoolFailed."""
    try:
        yield
    except sqlite3.Error as error:
        reason = f"it is corrupt: {error}" if is_corrupt(error) else str(error)
        raise SpoolFailed(f"cannot use the spool {path}: {reason}") from error
    except OSError as error:
        raise SpoolFailed(f"cannot use the spool {path}: {error.strerror or error}") from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that writes: committed and on disk at the end of the block, or rolled back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors have ended it already
            connection.execute("ROLLBACK")
        raise


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether the file is damaged, or is no database."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_full(error: sqlite3.Error) -> bool:
    """Whether the database has reached its size, or the disk is full."""
    return _code(error) == sqlite3.SQLITE_FULL


def find_damage(connection: sqlite3.Connection, *, thorough: bool) -> str | None:
    """What is wrong with the database's structure, in one line; None if nothing is. `thorough` checks indexes too."""
    rows = connection.execute(f"PRAGMA {'integrity' if thorough else 'quick'}_check(3)").fetchall()
    problems = [str(row[0]).replace("\n", " ") for row in rows]
    return None if problems == ["ok"] else "; ".join(problems)


def used_bytes(connection: sqlite3.Connection) -> int:
    """The bytes of the pages that hold something."""
    pages, free, size = (number(connection, f"PRAGMA {name}") for name in ("page_count", "freelist_count", "page_size"))
    return (pages - free) * size


def number(connection: sqlite3.Connection, query: str) -> int:
    """The number that `query` gives; 0 for none."""
    row = connection.execute(query).fetchone()
    return int(row[0] or 0) if row else 0


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


def _is_spool(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the database is a spool; False if there is nothing in it.

    Raises:
        ConfigurationError: it is something else, or of a newer version.
    """
    if not number(connection, "PRAGMA schema_version"):
        return False
    if number(connection, "PRAGMA application_id") != _APPLICATION_ID:
        raise ConfigurationError(f"{path} is a database, but not a spool: choose another file (SLUICE_SPOOL)")
    version = number(connection, "PRAGMA user_version")
    if version != _FORMAT:
        raise ConfigurationError(f"{path} is a spool of format {version}; this version of Sluicegate reads {_FORMAT}")
    return True


def _code(error: sqlite3.Error) -> int | None:
    code = cast("int | None", getattr(error, "sqlite_errorcode", None))
    return None if code is None else code & 0xFF  # without the part that says where it happened
