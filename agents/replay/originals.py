"""Rebuilds the record behind a recorded event, marked as a replay."""

from typing import NamedTuple

import msgspec

from sluicegate.agents.kafka.record import Record
from sluicegate.agents.replay.selection import Recorded
from sluicegate.schemas.codec import event_id_of, value_hash
from sluicegate.schemas.events import DeadLetter
from sluicegate.schemas.headers import REPLAY_HEADERS, Header, original_time, replay_headers
from sluicegate.schemas.payloads import without_schema_id

GONE = "no longer in Kafka"
UNREADABLE = "with a header name that is not UTF-8"


class CannotReplay(Exception):
    """The record behind an event cannot be published again; the message says why, in a few words."""


class Original(NamedTuple):
    """What is published: key, value and headers of the original, and the headers of a replay."""

    key: bytes | None
    value: bytes | None
    headers: list[Header]


def original_of(event: Recorded, record: Record | None, secret: bytes | None) -> Original:
    """The original of `event`, from the `record` at `event.at`; signed if there is a `secret`.

    Raises:
        CannotReplay: `record` is not there, is another one, or cannot be published as it was.
    """
    if record is None:
        raise CannotReplay(GONE)
    if event.in_letter:
        letter = msgspec.json.decode(without_schema_id(record.value or b""), type=DeadLetter)
        if any(header.name_bytes for header in letter.headers):
            raise CannotReplay(UNREADABLE)
        key, value, time = letter.key, letter.value, letter.event_time
        headers: list[Header] = [(header.name, header.value) for header in letter.headers]
    elif record.unreadable:
        raise CannotReplay(UNREADABLE)
    else:
        key, value, headers = record.key, record.value, [*record.headers]
        time = (original_time(headers) if event.replay_of else None) or record.timestamp
    event_id = event_id_of(value, headers)
    same_id = event.event_id == event_id if event_id else event.event_id in (event.original, event.source)
    if not same_id or event.value_hash not in (None, value_hash(value)):
        raise CannotReplay(GONE)
    kept = [header for header in headers if header[0] not in REPLAY_HEADERS]
    marks = replay_headers(event.original, time, key=key, value=value, secret=secret)
    return Original(key, value, [*kept, *marks])
