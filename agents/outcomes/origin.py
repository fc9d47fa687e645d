"""Where an event comes from: its own record, or the original of which its record is a replay."""

from datetime import datetime

import msgspec

from sluicegate.agents.kafka.record import Record
from sluicegate.schemas.headers import is_signed, original_time, replay_of
from sluicegate.schemas.reason_codes import RecordCode


class Origin(msgspec.Struct, frozen=True):
    """What a record without an `event_id` and an `event_time` of its own gets, and of which record it is a replay."""

    event_id: str
    """The same at every redelivery; a proven replay has that of its original."""
    event_time: datetime
    replay_of: str | None = None
    reason_codes: tuple[RecordCode, ...] = ()


def origin_of(record: Record, secret: bytes | None) -> Origin:
    """The origin of `record`. A replay is proven by its signature under `secret`.

    Without proof a record keeps an id of its own, so that nobody can publish under the id of another event. If there is
    a secret, the claim is then dropped. If there is none, `replay_of` stays as the producer's word: it names the
    original in the outputs and the ledger.
    """
    own_id = f"{record.topic}-{record.partition}-{record.offset}"
    claim = replay_of(record.headers) if record.headers else None
    if claim is None:
        return Origin(own_id, record.timestamp)
    published = original_time(record.headers) or record.timestamp
    if secret is None:
        return Origin(own_id, published, claim, (RecordCode.REPLAY_UNPROVEN,))
    if is_signed(record.headers, key=record.key, value=record.value, secret=secret):
        return Origin(claim, published, claim)
    return Origin(own_id, record.timestamp, None, (RecordCode.REPLAY_UNPROVEN,))
