"""Selects which recorded events are replayed.

    queries.deadletter ──────► dead letters ┐
    queries.ledger ──────────► decisions ───┼─► make_plan ─► a list of Recorded
    TOPIC:PARTITION:FROM-TO ─► raw records ─┘

The plan says where the bytes of an event are, not what they are: it takes half a kilobyte per event.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from sluicegate.agents.kafka.record import Record
from sluicegate.agents.settings import Settings
from sluicegate.schemas.codec import event_id_of, value_hash
from sluicegate.schemas.events import DeadLetter, LedgerRecord, OutcomeName, Position
from sluicegate.schemas.headers import is_signed, replay_of
from sluicegate.schemas.payloads import without_schema_id

logger: Final = logging.getLogger(__name__)

EventT = TypeVar("EventT", DeadLetter, LedgerRecord)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as a topic recorded it."""

    event_id: str
    source: str
    """`topic-partition-offset` of the input record."""
    replay_of: str | None
    """Of a replay: `topic-partition-offset` of the original."""
    at: Position
    """Where the bytes are: the input record, or a dead letter that holds all of it."""
    in_letter: bool
    time: datetime
    """When the topic recorded it."""
    value_hash: str | None
    """SHA-256 of the input's value; None where it is not known yet."""
    reasons: tuple[str, ...] = ()
    model_version: str | None = None
    outcome: OutcomeName | None = None

    @property
    def original(self) -> str:
        """The position of the record that came first: the same for an event and its replays."""
        return self.replay_of or self.source

    def target(self, settings: Settings) -> str:
        """The input topic that its record belongs to: that of its agent, and for a copy of one the gate's."""
        topic = self.source.rsplit("-", 2)[0]
        return topic if topic in input_topics(settings) else settings.topic_raw


def input_topics(settings: Settings) -> frozenset[str]:
    """The topics that agents consume."""
    return frozenset({settings.topic_raw, settings.topic_review, settings.topic_actions_raw})


@dataclass(frozen=True)
class Filter:
    """Which events to replay. An empty set, or None, takes all; `until` is exclusive."""

    since: datetime | None = None
    until: datetime | None = None
    event_ids: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    model_versions: frozenset[str] = frozenset()
    outcome: OutcomeName | None = None

    def takes(self, event: Recorded) -> bool:
        """Whether `event` passes every condition."""
        return (
            (self.since is None or event.time >= self.since)
            and (self.until is None or event.time < self.until)
            and (not self.event_ids or event.event_id in self.event_ids)
            and (not self.reasons or not self.reasons.isdisjoint(event.reasons))
            and (not self.model_versions or event.model_version in self.model_versions)
            and (self.outcome is None or event.outcome == self.outcome)
        )


def read_dead_letters(records: Iterable[Record]) -> Iterator[Recorded]:
    """The events of dead letters."""
    for record, letter in _decode(records, DeadLetter):
        if letter.last_offset is not None:
            logger.warning("sluice: %s cannot be replayed: its bytes in Kafka cannot be read", letter.source)
            continue
        whole = letter.is_whole
        yield Recorded(
            event_id=letter.event_id,
            source=str(letter.source),
            replay_of=replay_of(record.headers),  # the worker's own header, not the input's
            at=record.position if whole else letter.source,
            in_letter=whole,
            time=record.timestamp,
            value_hash=letter.input_hash if letter.value_omitted else value_hash(letter.value),
            reasons=(letter.error_type,),
            model_version=letter.model_version,
            outcome="deadletter",
        )


def read_decisions(records: Iterable[Record]) -> Iterator[Recorded]:
    """The events of ledger records, without those that a shadow model decided, or that have no record in Kafka."""
    for record, entry in _decode(records, LedgerRecord):
        if entry.shadow or not entry.source.in_kafka:
            continue
        codes = entry.decision.reason_codes if entry.decision else []
        error_type = [entry.validation.partition(":")[0]] if entry.outcome == "deadletter" else []
        yield Recorded(
            event_id=entry.event_id,
            source=str(entry.source),
            replay_of=entry.replay_of,
            at=entry.source,
            in_letter=False,
            time=record.timestamp,
            value_hash=entry.input_hash,
            reasons=(*codes, *_of_review(entry), *error_type),
            model_version=entry.model_version,
            outcome=entry.outcome,
        )


def _of_review(entry: LedgerRecord) -> list[str]:
    """Why the reviewers did not decide, and what the policy did instead."""
    if entry.review is None:
        return []
    fallback = [f"review_fallback:{entry.review.fallback}"] if entry.review.fallback else []
    return [*fallback, *(asked.reason for asked in entry.review.unanswered)]


def read_raw_records(records: Iterable[Record], secret: bytes | None) -> Iterator[Recorded]:
    """The events of raw records. With a `secret`, only a signed record counts as a replay."""
    for record in records:
        replayed = replay_of(record.headers)
        if replayed and secret and not is_signed(record.headers, key=record.key, value=record.value, secret=secret):
            replayed = None
        source = str(record.position)
        yield Recorded(
            event_id=event_id_of(record.value, record.headers) or replayed or source,
            source=source,
            replay_of=replayed,
            at=record.position,
            in_letter=False,
            time=record.timestamp,
            value_hash=value_hash(record.value),
        )


def make_plan(recorded: Iterable[Recorded], wanted: Filter) -> list[Recorded]:
    """The plan: each event once, if `wanted` takes its latest record; in the order of time.

    If an event was decided several times, its latest decision counts, so that a second run of a replay leaves out what
    the first one has changed. Records of the same id and bytes, which a producer sent twice, are one event. A record
    that claims to repeat an original of other bytes, or of bytes that nobody noted, is an event of its own: it must not
    hide the original.
    """
    latest: dict[str, tuple[datetime, Recorded | None]] = {}
    first_of: dict[tuple[str, str], str] = {}
    hash_at: dict[str, str] = {}
    replays: list[Recorded] = []

    def record(event: Recorded, name: str) -> None:
        """Note a record of the event called `name`."""
        if name != event.original:
            latest.pop(event.original, None)  # noted before the ledger had hashes
        if name not in latest or event.time >= latest[name][0]:
            latest[name] = event.time, event if wanted.takes(event) else None

    def first(event: Recorded) -> str:
        """The position of the first record of the same id and bytes."""
        return (
            first_of.setdefault((event.event_id, event.value_hash), event.source) if event.value_hash else event.source
        )

    for event in recorded:
        if event.replay_of is not None:
            replays.append(event)
            continue
        if event.value_hash:
            hash_at[event.source] = event.value_hash
        record(event, first(event))
    for event in replays:  # once the originals are known
        original_hash = hash_at.get(event.original)
        if original_hash and event.value_hash != original_hash:
            event = replace(event, replay_of=None)
            record(event, first(event))
        else:
            record(event, first_of.get((event.event_id, event.value_hash or ""), event.original))
    return sorted((event for _, event in latest.values() if event), key=lambda event: event.time)


def _decode(records: Iterable[Record], kind: type[EventT]) -> Iterator[tuple[Record, EventT]]:
    for record in records:
        try:
            event = msgspec.json.decode(without_schema_id(record.value or b""), type=kind)
        except msgspec.DecodeError:
            logger.warning("%s is not a %s: skipped", record.position, kind.__name__)
        else:
            yield record, event
