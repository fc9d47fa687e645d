"""Reads spans of partitions, each up to an end that is fixed when reading starts.

It joins no group and commits nothing. Every function blocks: call it off the event loop.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import methodcaller
from typing import Final, Never, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sluicegate.agents.kafka.cluster import ADMIN_TIMEOUT_S, Cluster
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.record import Record, Unreadable
from sluicegate.schemas.errors import BrokerUnavailable, StreamFailed
from sluicegate.schemas.events import Position

_SILENCE_S: Final = 15.0


_BROKEN_BATCH: Final = {KafkaError._BAD_COMPRESSION, KafkaError._BAD_MSG, KafkaError.INVALID_MSG}


def broken_batch(message: Message) -> str | None:
    """What to tell of a message that stands for a record batch that librdkafka cannot read; None for any other.

    librdkafka does not read past such a batch, and does not say where it ends. The worker does: it makes a dead letter.
    """
    error = message.error()
    return _cannot_read(_position_of(message), error.str()) if error and error.code() in _BROKEN_BATCH else None


def _cannot_read(at: Position, reason: str) -> str:
    return (
        f"the record batch at offset {at.offset} of partition {at.partition} of {at.topic} cannot be read: {reason}. "
        f"`last_offset` of the worker's dead letter ({at}) says where it ends; go on behind that offset"
    )


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets of one partition, from `start` up to, not including, `stop`."""

    topic: str
    partition: int
    start: int
    stop: int


class RecordLog:
    """Reads records of any topic. One read at a time; use it in a `with` block.

    Every method raises BrokerUnavailable when the brokers do not answer, or refuse.
    """

    def __init__(self, connection: Connection) -> None:
        """Raises BrokerUnavailable when no broker answers, and ConfigurationError when they refuse us."""
        topics = Cluster(connection).metadata(ADMIN_TIMEOUT_S).topics
        self._partitions = {name: sorted(topic.partitions) for name, topic in topics.items()}
        self._connection = connection
        self._consumer = Consumer(
            {
                **connection.librdkafka(),
                "group.id": "sluice-replay",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",  # if retention deletes what is being read
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def spans(self, topic: str, since: datetime | None) -> list[Span]:
        """What `topic` holds now, from its first record at or after `since`; empty if there is no such topic."""
        starts = [TopicPartition(topic, partition) for partition in self._partitions.get(topic, ())]
        if since is not None:
            for start in starts:
                start.offset = max(0, round(since.timestamp() * 1000))
            try:
                starts = self._consumer.offsets_for_times(starts, timeout=ADMIN_TIMEOUT_S)
            except KafkaException as error:
                raise self._unavailable(error.args[0]) from error
        spans = []
        for start in starts:
            beginning, end = self._bounds(topic, start.partition)
            first = beginning if since is None else start.offset
            spans.append(
                Span(topic, start.partition, first if first >= 0 else end, end)
            )  # below 0: no record is that late
        return spans

    def read(self, spans: Iterable[Span]) -> Iterator[Record]:
        """The records of `spans`, in order within each, without those that retention has deleted.

        Raises:
            StreamFailed: librdkafka cannot read a record batch; names its offset and how to go on.
        """
        try:
            yield from self._read(spans)
        except KafkaException as error:
            raise self._unavailable(error.args[0]) from error

    def _read(self, spans: Iterable[Span]) -> Iterator[Record]:
        stops: dict[tuple[str, int], int] = {}
        reached: dict[tuple[str, int], int] = {}
        starts = []
        for span in spans:
            beginning, end = self._bounds(span.topic, span.partition)
            if max(span.start, beginning) < min(span.stop, end):
                stops[span.topic, span.partition] = min(span.stop, end)
                starts.append(TopicPartition(span.topic, span.partition, max(span.start, beginning)))
                reached[span.topic, span.partition] = starts[-1].offset - 1
        self._consumer.assign(starts)
        heard = time.monotonic()
        while stops:
            for message in self._consumer.consume(1000, 0.5):
                heard = time.monotonic()
                error, at = message.error(), _position_of(message)
                if broken := broken_batch(message):
                    raise StreamFailed(broken)
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise self._unavailable(error)
                stop = stops.get((at.topic, at.partition))
                if stop is None:
                    continue
                if error is None and at.offset < stop:
                    yield record_of(message)
                reached[at.topic, at.partition] = at.offset
                if at.offset >= stop - 1:  # the last offset may hold no record; then a later one, or the end, shows it
                    del stops[at.topic, at.partition]
                    self._consumer.incremental_unassign([TopicPartition(at.topic, at.partition)])
            if time.monotonic() - heard > _SILENCE_S:
                self._explain_silence(stops, reached)

    def _explain_silence(self, stops: Iterable[tuple[str, int]], reached: Mapping[tuple[str, int], int]) -> Never:
        """Raise what is behind it: brokers that do not answer, or else a batch that librdkafka does not get past."""
        topic, partition = next(iter(stops))
        self._bounds(topic, partition)  # raises if the brokers do not answer
        at = Position(topic=topic, partition=partition, offset=reached[topic, partition] + 1)
        raise StreamFailed(_cannot_read(at, f"no record arrives in {_SILENCE_S:g} s"))

    def fetch(self, positions: Iterable[Position]) -> dict[Position, Record]:
        """The records at `positions`, of those that still exist."""
        wanted = _by_partition(positions)
        spans = [Span(*place, min(offsets), max(offsets) + 1) for place, offsets in wanted.items()]
        found = {}
        for record in self.read(spans):
            if record.offset in wanted[record.topic, record.partition]:
                found[record.position] = record
        return found

    def held(self, positions: Iterable[Position]) -> int:
        """How many of `positions` retention has not deleted yet."""
        count = 0
        for place, offsets in _by_partition(positions).items():
            beginning, end = self._bounds(*place)
            count += sum(beginning <= offset < end for offset in offsets)
        return count

    def _bounds(self, topic: str, partition: int) -> tuple[int, int]:
        if partition not in self._partitions.get(topic, ()):  # a broker that is asked for it might create it
            return 0, 0
        try:
            return self._consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=ADMIN_TIMEOUT_S)
        except KafkaException as error:
            raise self._unavailable(error.args[0]) from error

    def _unavailable(self, reason: object) -> BrokerUnavailable:
        words = reason.str() if isinstance(reason, KafkaError) else reason
        return BrokerUnavailable(
            f"cannot read from Kafka at {self._connection.servers}: {words}; try again when it answers"
        )


_take_headers: Final = methodcaller("headers")
"""Calls `Message.headers()`, whose list holds a null pointer for a name that is not UTF-8 (confluent_kafka 2.16).

Called in the usual way, newer versions of Python may miss the error that it sets, and the null pointer ends the
process. Called like this, Python checks the result and raises SystemError instead. The second call for one message
returns the broken list without an error: call it once.
"""


def record_of(message: Message) -> Record:
    """The record in `message`, which must not be used afterwards; `unreadable` if the name of a header is not UTF-8."""
    headers, unreadable = (), None
    try:
        headers = _take_headers(message) or ()
    except SystemError:
        unreadable = Unreadable("the name of a header is not UTF-8")
    at = _position_of(message)
    return Record(
        at.topic,
        at.partition,
        at.offset,
        datetime.fromtimestamp(max(0, message.timestamp()[1]) / 1000, UTC),
        message.key(),
        message.value(),
        headers,
        unreadable,
    )


def _position_of(message: Message) -> Position:
    return Position(topic=message.topic() or "", partition=message.partition() or 0, offset=message.offset() or 0)


def _by_partition(positions: Iterable[Position]) -> Mapping[tuple[str, int], set[int]]:
    wanted = defaultdict(set)
    for at in positions:
        wanted[at.topic, at.partition].add(at.offset)
    return wanted
