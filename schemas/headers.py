"""The headers of records: those that mark a replay of an earlier record, and the one of a record from a spool.

    event_id          the id under which a spool kept the record. A record that was published twice has the same id.

    replay_of         `topic-partition-offset` of the original. It is the event id of a record without one, so that a
                      replay keeps the id of its original. Outputs and the ledger repeat it.
    replay_timestamp  the original's Kafka timestamp in milliseconds: the event time of a record without one
    replay_signature  HMAC-SHA256 of the two headers above and of the record's key and value, in hexadecimal

Anyone who can publish a record can write any header into it. The signature proves that `sluice replay` wrote these. A
header of another form is ignored.
"""

import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

EVENT_ID: Final = "event_id"
REPLAY_OF: Final = "replay_of"
REPLAY_TIMESTAMP: Final = "replay_timestamp"
REPLAY_SIGNATURE: Final = "replay_signature"
REPLAY_HEADERS: Final = frozenset({REPLAY_OF, REPLAY_TIMESTAMP, REPLAY_SIGNATURE})

Header = tuple[str, bytes | None]
Headers = Sequence[Header]
"""A Kafka record's headers: pairs, possibly repeated, possibly without a value."""

_POSITION: Final = re.compile(rb"[\w.-]{1,168}-\d{1,10}-\d{1,19}")  # no longer than an event id may be
_MILLISECONDS: Final = re.compile(rb"\d{1,14}")
_SIGNATURE: Final = re.compile(rb"[0-9a-f]{64}")


def replay_of(headers: Headers) -> str | None:
    """The position of the original, `topic-partition-offset`, as the headers claim it; None without a claim."""
    position = _last(headers, REPLAY_OF, _POSITION)
    return position.decode("ascii") if position else None


def original_time(headers: Headers) -> datetime | None:
    """When the original was published, as the headers claim it; None without a claim."""
    milliseconds = _last(headers, REPLAY_TIMESTAMP, _MILLISECONDS)
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if milliseconds else None


def replay_headers(
    position: str, timestamp: datetime, *, key: bytes | None, value: bytes | None, secret: bytes | None
) -> list[Header]:
    """The headers of a replay of the record at `position`; signed if there is a `secret`."""
    milliseconds = b"%d" % max(0, round(timestamp.timestamp() * 1000))
    headers: list[Header] = [(REPLAY_OF, position.encode()), (REPLAY_TIMESTAMP, milliseconds)]
    if secret:
        headers.append((REPLAY_SIGNATURE, _signature(position.encode(), milliseconds, key, value, secret)))
    return headers


def is_signed(headers: Headers, *, key: bytes | None, value: bytes | None, secret: bytes) -> bool:
    """Whether the replay headers were written under `secret`, for a record of this key and value."""
    position = _last(headers, REPLAY_OF, _POSITION)
    milliseconds = _last(headers, REPLAY_TIMESTAMP, _MILLISECONDS)
    signature = _last(headers, REPLAY_SIGNATURE, _SIGNATURE)
    if not (position and milliseconds and signature):
        return False
    return hmac.compare_digest(signature, _signature(position, milliseconds, key, value, secret))


def _signature(position: bytes, milliseconds: bytes, key: bytes | None, value: bytes | None, secret: bytes) -> bytes:
    content = [sha256(part or b"").digest() for part in (key, value)]
    return (
        hmac.digest(secret, b"\0".join([b"sluicegate.replay", position, milliseconds, *content]), sha256).hex().encode()
    )


def _last(headers: Headers, name: str, form: re.Pattern[bytes]) -> bytes | None:
    for given, value in reversed(headers):
        if given == name and value is not None and form.fullmatch(value):
            return value
    return None
