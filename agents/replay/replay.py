"""Replay: which recorded events are published again, how each is rebuilt, and publishing them.

    queries.deadletter ──► letters ───┐
    queries.ledger ──────► decisions ─┼─► choose ─► plan ─► the original records, byte for byte ─► queries.raw
    TOPIC:PARTITION:FROM-TO ► records ┘                     + replay_of, replay_timestamp

A plan says where the bytes lie, not what they are: it holds half a kilobyte an event. What the ledger names is read
where it lay; what retention has deleted, or another record has taken the place of, is counted and never made up.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec
from confluent_kafka import Message

from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.publisher import Delivered, Publisher
from sluicegate.agents.kafka.record_log import RecordLog, position_of
from sluicegate.agents.settings import Settings
from sluicegate.schemas.codec import event_id_of, value_hash
from sluicegate.schemas.errors import PublishFailed
from sluicegate.schemas.events import DeadLetter, LedgerRecord, OutcomeName, Position
from sluicegate.schemas.headers import replay_headers, replay_of

logger = logging.getLogger(__name__)

_LARGEST_BATCH: Final = 500

EventT = TypeVar("EventT", DeadLetter, LedgerRecord)
Header = tuple[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as a topic recorded it; `at` is where its bytes lie: its record, or a dead letter that is whole."""

    event_id: str
    original: str
    """`topic-partition-offset` of the record that came first: the same for an event and its replays."""
    at: Position
    in_letter: bool
    time: datetime
    """When it was recorded."""
    value_hash: str | None
    """Of its bytes; None where they are not known yet."""
    reasons: tuple[str, ...] = ()
    model_version: str | None = None
    outcome: OutcomeName | None = None


@dataclass(frozen=True)
class Filter:
    """What is to be replayed. An empty set, or None, takes everything; `until` is exclusive."""

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


def letters(messages: Iterable[Message]) -> Iterator[Recorded]:
    """The events of dead letters."""
    for message, letter in _decoded(messages, DeadLetter):
        headers = [(header.name, header.value) for header in letter.headers]
        yield Recorded(
            event_id=letter.event_id,
            original=replay_of(headers) or str(letter.source),
            at=letter.source if letter.value_omitted else position_of(message),
            in_letter=not letter.value_omitted,
            time=_time_of(message),
            value_hash=None if letter.value_omitted else value_hash(letter.value),
            reasons=(letter.error_type,),
            model_version=letter.model_version,
            outcome="deadletter",
        )


def decisions(messages: Iterable[Message]) -> Iterator[Recorded]:
    """The events of ledger records, but for the shadows."""
    for message, entry in _decoded(messages, LedgerRecord):
        if entry.shadow:
            continue
        codes = entry.decision.reason_codes if entry.decision else []
        error_type = [entry.validation.partition(":")[0]] if entry.outcome == "deadletter" else []
        yield Recorded(
            event_id=entry.event_id,
            original=entry.replay_of or str(entry.source),
            at=entry.source,
            in_letter=False,
            time=_time_of(message),
            value_hash=entry.input_hash,
            reasons=(*codes, *error_type),
            model_version=entry.model_version,
            outcome=entry.outcome,
        )


def records(messages: Iterable[Message]) -> Iterator[Recorded]:
    """The events of raw records."""
    for message in messages:
        at = position_of(message)
        original = replay_of(_headers_of(message)) or str(at)
        yield Recorded(
            event_id=event_id_of(message.value()) or original,
            original=original,
            at=at,
            in_letter=False,
            time=_time_of(message),
            value_hash=value_hash(message.value()),
        )


def choose(recorded: Iterable[Recorded], wanted: Filter) -> list[Recorded]:
    """The plan: each event whose last record `wanted` takes, once, in the order of those records.

    An event that has been decided anew since is judged by its new decision: a replay that is run again leaves out what
    it has achieved. Records of the same id and bytes, which a producer sent twice, are one event.
    """
    chosen: dict[str, Recorded] = {}
    firsts: dict[tuple[str, str], str] = {}
    for event in recorded:
        original = event.original
        if event.value_hash:
            chosen.pop(original, None)  # from before the ledger had hashes
            original = firsts.setdefault((event.event_id, event.value_hash), original)
        chosen.pop(original, None)
        if wanted.takes(event):
            chosen[original] = event
    return sorted(chosen.values(), key=lambda event: event.time)


@dataclass(slots=True)
class Tally:
    """What became of a plan so far."""

    replayed: int = 0
    gone: int = 0
    """Their records are no longer where they lay."""
    too_large: int = 0
    """The input topic refuses them."""
    resume: datetime | None = None
    """`since` for what is left; None when all is done."""

    @property
    def handled(self) -> int:
        """Events of the plan that are done with."""
        return self.replayed + self.gone + self.too_large


async def publish_again(
    connection: Connection,
    settings: Settings,
    log: RecordLog,
    plan: Sequence[Recorded],
    tally: Tally,
    *,
    rate: float,
    progress: Callable[[int, int], None],
) -> None:
    """Publish the originals of `plan` to the input topic, at most `rate` a second (0: as fast as it goes).

    `tally` says at any time, also after an exception or a cancellation, what the brokers have acknowledged.

    Raises:
        BrokerUnavailable: the originals cannot be read.
        PublishFailed: the broker refused one, or did not acknowledge in time.
    """
    size = max(1, min(_LARGEST_BATCH, int(rate))) if rate else _LARGEST_BATCH
    timeout_s = settings.publish_timeout_ms / 1000
    pace = _Pace(rate)
    publisher = Publisher(
        connection,
        delivery_timeout_s=timeout_s,
        flush_timeout_s=timeout_s,
        client_id="sluicegate-replay",
        extra={"log_level": 0},  # what matters is in our exceptions
    )
    sent: list[asyncio.Future[Delivered]] = []
    try:
        async with publisher:
            for start in range(0, len(plan), size):
                batch = plan[start : start + size]
                tally.resume = batch[0].time
                found = await asyncio.to_thread(log.fetch, [event.at for event in batch])
                for event in batch:
                    original = _original(event, found.get(event.at))
                    if original is None:
                        tally.gone += 1
                    else:
                        await pace.turn()
                        sent.append(
                            publisher.publish(
                                settings.topic_raw, original.value, key=original.key, headers=original.headers
                            )
                        )
                if sent:
                    await asyncio.wait(sent)
                _settle(sent, tally)
                progress(tally.handled, len(plan))
            tally.resume = None
    finally:
        _settle(sent, tally)


class _Original(msgspec.Struct, frozen=True):
    key: bytes | None
    value: bytes | None
    headers: list[Header]


def _original(event: Recorded, message: Message | None) -> _Original | None:
    """The record that was decided, as it came, and marked as a replay; None when `message` is not it."""
    if message is None:
        return None
    if event.in_letter:
        letter = msgspec.json.decode(message.value() or b"", type=DeadLetter)
        key, value, time = letter.key, letter.value, letter.event_time
        headers = [(header.name, header.value) for header in letter.headers]
    else:
        key, value, time, headers = message.key(), message.value(), _time_of(message), _headers_of(message)
    if (event_id_of(value) or event.original) != event.event_id or event.value_hash not in (None, value_hash(value)):
        return None
    if replay_of(headers) is None:
        headers = [*headers, *replay_headers(event.original, time)]
    return _Original(key, value, headers)


def _settle(sent: list[asyncio.Future[Delivered]], tally: Tally) -> None:
    """Count what is done of `sent` and take it out; raises the first failure that is not the record's own."""
    done = [future for future in sent if future.done() and not future.cancelled()]
    sent.clear()
    failures = [error for future in done if (error := future.exception())]
    tally.replayed += len(done) - len(failures)
    for error in failures:
        if not (isinstance(error, PublishFailed) and error.too_large):
            raise error
        tally.too_large += 1


class _Pace:
    """Lets `rate` turns pass a second, evenly."""

    def __init__(self, rate: float) -> None:
        self._interval_s = 1 / rate if rate else 0.0
        self._next = time.monotonic()

    async def turn(self) -> None:
        now = time.monotonic()
        if self._next > now:
            await asyncio.sleep(self._next - now)
        self._next = max(self._next, now) + self._interval_s


def _decoded(messages: Iterable[Message], kind: type[EventT]) -> Iterator[tuple[Message, EventT]]:
    for message in messages:
        try:
            event = msgspec.json.decode(message.value() or b"", type=kind)
        except msgspec.DecodeError:
            logger.warning("%s is no %s: passed over", position_of(message), kind.__name__)
        else:
            yield message, event


def _time_of(message: Message) -> datetime:
    return datetime.fromtimestamp(max(0, message.timestamp()[1]) / 1000, UTC)


def _headers_of(message: Message) -> list[Header]:
    return list(message.headers() or ())  # type: ignore[arg-type]  # the stubs are wider
