"""Adding records to a spool, and taking them out once a broker has them."""

import logging
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias, TypeVar

from sluicegate.agents import sqlite_file
from sluicegate.agents.settings import Settings
from sluicegate.agents.spool.database import SPOOL, read_records, row_of
from sluicegate.agents.spool.files import FileLock, Reserve, make_private, put_aside
from sluicegate.agents.spool.reading import statistics_of
from sluicegate.agents.spool.record import SpoolRecord, SpoolStatistics, StoredRecord, WhenFull
from sluicegate.schemas.errors import ConfigurationError, SpoolFailed, SpoolFull

logger = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")
Role: TypeAlias = Literal["add", "publish"]

_SILENCE_S: Final = 60.0
_LEAST_ROOM: Final = 64 * 1024
"""Bytes that dropping makes room for at once, so that not every record has to drop one."""
_INSERT: Final = (
    "INSERT INTO records (topic, id, key, value, headers, added_ms, crc) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (topic, id) DO NOTHING"
)


class Spool:
    """Records on disk that wait for a broker, in the order in which they were added.

    One process adds; a second one is refused. Another process may publish at the same time. Threads may share a spool.
    Every method blocks for the disk. What `add` and `delete` have done survives kill -9 and a power failure.
    """

    def __init__(
        self, path: Path, *, max_bytes: int, reserve_bytes: int, when_full: WhenFull, role: Role = "add"
    ) -> None:
        """Open the spool at `path`.

        All files together take at most `max_bytes`, of which `reserve_bytes` hold no records: half of them are taken on
        disk now and given up when it is full, so that records can still be deleted, the rest is SQLite's log.

        To add, a missing file is made, and a corrupt one is put aside for a new one, with a line in the log. The whole
        file is read for that.

        Raises:
            SpoolFailed: another process has it, or it cannot be opened; to publish, also if it is missing or corrupt.
            ConfigurationError: the file is something else.
        """
        self.path = path
        self.most_bytes: Final = max_bytes - reserve_bytes
        """Bytes of records that fit."""
        self._when_full: WhenFull = when_full
        self._reserve = Reserve(Path(f"{path}.reserve"), reserve_bytes // 2)
        self._mutex = threading.Lock()
        self._process = os.getpid()
        self._silent_until = 0.0
        self._adds = role == "add"
        refusal = f"the spool {path} is in use: one process at a time can {role} its records"
        with SPOOL.errors(path):
            if not self._adds:
                path.stat()
            self._lock = FileLock(Path(f"{path}{'' if self._adds else '.sync'}.lock"), refusal=refusal)
            try:
                self._connection = self._opened()
            except BaseException:
                self._lock.release()
                raise

    @classmethod
    def open(cls, settings: Settings, path: Path | None = None, *, role: Role = "add") -> Self:
        """The spool at `path`, by default the one of `settings`, with their bounds. Raises what the constructor does.

        Raises:
            ConfigurationError: no file is named.
        """
        path = path or settings.spool
        if path is None:
            raise ConfigurationError("no file for the spool: name one, or set SLUICE_SPOOL")
        return cls(
            path,
            max_bytes=settings.spool_max_bytes,
            reserve_bytes=settings.spool_reserve_bytes,
            when_full=settings.spool_when_full,
            role=role,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Closing twice does no harm."""
        if os.getpid() == self._process:
            with self._mutex:
                self._connection.close()
                self._lock.release()

    def add(self, records: Sequence[SpoolRecord]) -> None:
        """Keep `records`, all or none; they are on disk when this returns. One that is there already is not kept twice.

        Raises:
            SpoolFull: there is no room, and nothing is to be dropped for it.
            SpoolFailed: it cannot be written to.
        """
        added_ms = time.time_ns() // 1_000_000
        rows = [row_of(record, added_ms) for record in records]
        needed = sum(record.size for record in records)

        def insert() -> None:
            self._restore_reserve(self._connection)
            with sqlite_file.transaction(self._connection):
                self._connection.executemany(_INSERT, rows)

        try:
            self._guarded(insert)
        except SpoolFull:
            if self._when_full == "refuse":
                raise
            self._drop_for(rows, needed)

    def oldest(self, limit: int, *, after: int = 0) -> list[StoredRecord]:
        """Up to `limit` records with numbers above `after`, the oldest first.

        Raises:
            SpoolFailed: it cannot be read.
        """
        return self._guarded(lambda: list(read_records(self._connection, after=after, limit=limit)))

    def delete(self, numbers: Sequence[int]) -> None:
        """Delete records by their numbers, in one transaction; those that are gone already do not matter.

        Raises:
            SpoolFailed: it cannot be written to.
        """

        def delete() -> None:
            with sqlite_file.transaction(self._connection):
                self._connection.executemany("DELETE FROM records WHERE number = ?", [(number,) for number in numbers])

        try:
            self._guarded(delete)
        except SpoolFull:
            if not self._use_reserve():
                raise
            self._guarded(delete)
        self._guarded(lambda: self._restore_reserve(self._connection))

    def statistics(self) -> SpoolStatistics:
        """What waits in it.

        Raises:
            SpoolFailed: it cannot be read.
        """
        return self._guarded(lambda: statistics_of(self._connection))

    def _opened(self) -> sqlite3.Connection:
        if self._adds:
            make_private(self.path)
        connection = self._unless_corrupt()
        self._restore_reserve(connection)
        return connection

    def _restore_reserve(self, connection: sqlite3.Connection) -> None:
        """Take the reserve again if the disk has room for it. As long as it has none, the database does not grow."""
        taken = self._reserve.take()
        if self._adds:
            pages = self.most_bytes // sqlite_file.number(connection, "PRAGMA page_size") if taken else 1
            connection.execute(f"PRAGMA max_page_count={pages}")  # of fewer than it has, SQLite makes as many as it has

    def _unless_corrupt(self) -> sqlite3.Connection:
        """The open database; to add, a new one in place of a corrupt one."""
        try:
            connection = SPOOL.open_for_writing(self.path)
            if not self._adds:
                return connection
            damage = sqlite_file.find_damage(connection, thorough=False)
            if damage is None:
                return connection
            connection.close()
        except sqlite3.Error as error:
            if not self._adds or not sqlite_file.is_corrupt(error):
                raise
            damage = str(error)
        aside = put_aside(self.path)
        logger.error("the spool %s is corrupt (%s): it is now %s, and a new one is started", self.path, damage, aside)
        make_private(self.path)
        return SPOOL.open_for_writing(self.path)

    def _guarded(self, act: Callable[[], ResultT]) -> ResultT:
        """Run `act` with the database to itself. If it finds it corrupt, and adds, again with a new one."""
        if os.getpid() != self._process:
            raise SpoolFailed(f"the spool {self.path} was opened before a fork: open one in this process")
        with self._mutex, SPOOL.errors(self.path):
            try:
                return act()
            except sqlite3.Error as error:
                if sqlite_file.is_full(error):
                    raise SpoolFull(self._why_full()) from None
                if not (self._adds and sqlite_file.is_corrupt(error)):
                    raise
                self._connection.close()
                self._connection = self._opened()
                return act()

    def _use_reserve(self) -> bool:
        """If the disk is full, give the reserve up for SQLite's log, without which nothing can be deleted."""
        if not self._disk_is_full() or not self._reserve.give_up():
            return False

        def shorten_log() -> None:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if self._adds:
                self._connection.execute("PRAGMA max_page_count=1")

        self._guarded(shorten_log)
        return True

    def _disk_is_full(self) -> bool:
        return shutil.disk_usage(self.path.parent).free < _LEAST_ROOM

    def _why_full(self) -> str:
        if self._disk_is_full():
            return f"the disk of the spool {self.path} is full: make room on it"
        return (
            f"the spool {self.path} is full: publish its records with `sluice spool sync`, "
            "or raise SLUICE_SPOOL_MAX_BYTES"
        )

    def _drop_for(self, rows: Sequence[tuple[object, ...]], needed: int) -> None:
        """Delete the oldest records until `rows` have room, and add them, in one transaction."""
        room = max(2 * needed, _LEAST_ROOM)
        while True:
            dropped = left = 0

            def replace(room: int = room) -> None:
                nonlocal dropped, left
                with sqlite_file.transaction(self._connection):
                    dropped = _drop_oldest(self._connection, room)
                    left = sqlite_file.number(self._connection, "SELECT 1 FROM records LIMIT 1")
                    self._connection.executemany(_INSERT, rows)

            try:
                self._guarded(replace)
            except SpoolFull:
                if self._use_reserve():
                    continue
                if not left:
                    raise
                room *= 4
            else:
                break
        if time.monotonic() >= self._silent_until:
            self._silent_until = time.monotonic() + _SILENCE_S
            total = self.statistics().dropped
            logger.warning(
                "the spool %s is full: %d of the oldest records were dropped, %d in all", self.path, dropped, total
            )


def _drop_oldest(connection: sqlite3.Connection, room: int) -> int:
    """Delete the oldest records that take `room` bytes together, and count them; returns how many those are."""
    last, found, dropped = 0, 0, 0
    for stored in read_records(connection, after=0):
        last, found, dropped = stored.number, found + stored.record.size, dropped + 1
        if found >= room:
            break
    connection.execute("DELETE FROM records WHERE number <= ?", (last,))
    connection.execute("UPDATE counters SET value = value + ? WHERE name = 'dropped'", (dropped,))
    return dropped
