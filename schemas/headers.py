"""The headers that make a record a replay: which record it repeats, and when that one came.

    replay_of         topic-partition-offset of the original. It is the event id of a record that brings none, so that a
                      replay has the id of its original; the outputs and the ledger repeat it.
    replay_timestamp  the original's Kafka timestamp in milliseconds: the event's time, unless the record brings one

A header that is not of that form is left alone: whoever can publish a record can write whatever into it.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

REPLAY_OF: Final = "replay_of"
REPLAY_TIMESTAMP: Final = "replay_timestamp"

Headers = Sequence[tuple[str, bytes | None]]
"""A Kafka record's headers: pairs, possibly repeated, possibly without a value."""

_POSITION: Final = re.compile(rb"[\w.-]{1,168}-\d{1,10}-\d{1,19}")  # no longer than an event id may be
_MILLISECONDS: Final = re.compile(rb"\d{1,14}")


def replay_of(headers: Headers) -> str | None:
    """Where the original lies, `topic-partition-offset`; None when the record is no replay."""
    return _last(headers, REPLAY_OF, _POSITION)


def original_time(headers: Headers) -> datetime | None:
    """When the original came; None when the headers do not say."""
    milliseconds = _last(headers, REPLAY_TIMESTAMP, _MILLISECONDS)
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if milliseconds else None


def replay_headers(position: str, timestamp: datetime) -> list[tuple[str, bytes | None]]:
    """What `sluice replay` adds to the headers of the record at `position`."""
    milliseconds = max(0, round(timestamp.timestamp() * 1000))
    return [(REPLAY_OF, position.encode()), (REPLAY_TIMESTAMP, b"%d" % milliseconds)]


def _last(headers: Headers, name: str, form: re.Pattern[bytes]) -> str | None:
    for given, value in reversed(headers):
        if given == name and value is not None and form.fullmatch(value):
            return value.decode("ascii")
    return None
