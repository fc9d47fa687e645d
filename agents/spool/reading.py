"""Reading a spool without changing it: what waits in it, whether it is sound, and its records as JSON."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from sluicegate.agents import sqlite_file
from sluicegate.agents.spool.database import SPOOL, read_records
from sluicegate.agents.spool.record import SpoolStatistics, StoredRecord, TopicStatistics

_BY_TOPIC = (
    "SELECT topic, count(*), sum(length(value) + ifnull(length(key), 0) + length(headers) + length(id)), min(added_ms) "
    "FROM records GROUP BY topic ORDER BY topic"
)


def statistics_of(connection: sqlite3.Connection) -> SpoolStatistics:
    """What waits in an open spool."""
    now_ms = time.time_ns() // 1_000_000
    topics = [
        TopicStatistics(topic, records, size, max(0, now_ms - added_ms) / 1000)
        for topic, records, size, added_ms in connection.execute(_BY_TOPIC)
    ]
    return SpoolStatistics(
        records=sum(each.records for each in topics),
        bytes=sqlite_file.used_bytes(connection),
        oldest_age_s=max((each.oldest_age_s for each in topics), default=None),
        dropped=sqlite_file.number(connection, "SELECT value FROM counters WHERE name = 'dropped'"),
        topics=topics,
    )


def read_statistics(path: Path) -> SpoolStatistics:
    """What waits in the spool at `path`.

    Raises:
        SpoolFailed: it cannot be read.
        ConfigurationError: it is no spool.
    """
    with SPOOL.open_for_reading(path) as connection:
        return statistics_of(connection)


def find_problems(path: Path) -> Iterator[str]:
    """Everything that is wrong with the spool at `path`, one line each: its structure, then its records.

    Raises:
        SpoolFailed: it cannot be read.
        ConfigurationError: it is no spool.
    """
    with SPOOL.open_for_reading(path) as connection:
        if damage := sqlite_file.find_damage(connection, thorough=True):
            yield damage
        for stored in read_records(connection, after=0):
            if not stored.intact:
                yield f"record {stored.number} is damaged: its checksum is wrong"


def read_all(path: Path) -> Iterator[StoredRecord]:
    """The records of the spool at `path`, the oldest first, as of now.

    Raises:
        SpoolFailed: it cannot be read.
        ConfigurationError: it is no spool.
    """
    with SPOOL.open_for_reading(path) as connection:
        yield from read_records(connection, after=0)
