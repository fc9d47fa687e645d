"""What ``sluice tail`` does: follow partitions, or read their ends, choose records, print them."""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from sluicegate.agents.cli.record_lines import event_id_in
from sluicegate.agents.kafka.cluster import Cluster, kafka_error
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.record import Record
from sluicegate.agents.kafka.record_log import broken_batch, record_of
from sluicegate.agents.settings import Settings
from sluicegate.schemas.errors import BrokerUnavailable
from sluicegate.schemas.topics import OPTIONAL, SENT

_TOPICS_TIMEOUT_S: Final = 10.0
_ENDS_TAIL: Final = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records to print, and when to end. Without `names`, every output; without `event_ids`, every event.

    `newest`: only so many, the newest of all topics, which then implies `until_now`.
    """

    names: Sequence[str] = ()
    from_beginning: bool = False
    until_now: bool = False
    newest: int | None = None
    limit: int | None = None
    event_ids: frozenset[str] = frozenset()

    def takes(self, record: Record) -> bool:
        """Whether `record` is of a wanted event."""
        return not self.event_ids or event_id_in(record) in self.event_ids


def tail_topics(settings: Settings, selection: Selection, line_of: Callable[[Record], bytes]) -> None:
    """Print the selected records as they arrive, each as `line_of` writes it, until interrupted or at the selected end.

    Raises:
        BrokerUnavailable: the cluster cannot be reached, or a topic is deleted or forbidden meanwhile.
        ConfigurationError: a topic is missing.
    """
    connection = Connection.of(settings)
    start = OFFSET_BEGINNING if selection.from_beginning else OFFSET_END
    partitions = _partitions(connection, settings.topics, selection.names, start)
    consumer = _consumer(connection)
    try:
        if selection.newest:
            records: Iterable[Record] = _newest(consumer, partitions, selection.newest)
        else:
            consumer.assign(partitions)
            spans = _spans(consumer, partitions) if selection.until_now else None
            ends = {place: end for place, (_, end) in spans.items()} if spans is not None else None
            records = islice(filter(selection.takes, _records(consumer, ends)), selection.limit)
        for record in records:
            sys.stdout.buffer.write(line_of(record))
            sys.stdout.buffer.flush()
    except KafkaException as error:
        raise BrokerUnavailable(
            f"cannot read from Kafka at {connection.servers}: {kafka_error(error).str()}"
        ) from error
    finally:
        consumer.close()


def _newest(consumer: Consumer, partitions: Collection[TopicPartition], count: int) -> list[Record]:
    """The newest `count` records, in the order of their timestamps. Reads that many of each partition at most."""
    spans = _spans(consumer, partitions)
    consumer.assign([TopicPartition(*place, max(first, end - count)) for place, (first, end) in spans.items()])
    ends = {place: end for place, (_, end) in spans.items()}
    return sorted(_records(consumer, ends), key=lambda record: record.timestamp)[-count:]


def _records(consumer: Consumer, ends: Mapping[tuple[str, int], int] | None) -> Iterator[Record]:
    """The records of the assigned partitions, up to the offsets `ends`; without them, for ever.

    Raises:
        BrokerUnavailable: a topic is deleted or forbidden meanwhile.
    """
    open_ends = dict(ends or {})
    while open_ends or ends is None:
        message = consumer.poll(0.5)
        if message is None:
            continue
        error = message.error()
        if error is not None:
            if error.code() in _ENDS_TAIL:
                raise BrokerUnavailable(f"cannot read {message.topic()} any more: {error.str()}")
            if error.code() == KafkaError._PARTITION_EOF:
                open_ends.pop(_place(message), None)
            if broken := broken_batch(message):
                sys.stderr.write(f"sluice: {broken}. Nothing behind it in this partition is shown.\n")
                open_ends.pop(_place(message), None)
            continue
        offset, place = message.offset() or 0, _place(message)
        if ends is not None and offset >= open_ends.get(place, 0):
            open_ends.pop(place, None)
            continue
        yield record_of(message)
        if offset + 1 == open_ends.get(place):
            del open_ends[place]


def _spans(consumer: Consumer, partitions: Collection[TopicPartition]) -> dict[tuple[str, int], tuple[int, int]]:
    """For each partition with records: the offset of its first record, and the one after its last."""
    spans = {}
    for partition in partitions:
        first, end = consumer.get_watermark_offsets(partition, timeout=_TOPICS_TIMEOUT_S)
        if end > first:
            spans[partition.topic, partition.partition] = first, end
    return spans


def _place(message: Message) -> tuple[str, int]:
    return message.topic() or "", message.partition() or 0


def _partitions(
    connection: Connection, names: Mapping[str, str], wanted: Sequence[str], start: int
) -> list[TopicPartition]:
    """The partitions of the `wanted` events, or of every output. `names` are the names of the topics."""
    cluster = Cluster(connection)
    metadata = cluster.metadata(_TOPICS_TIMEOUT_S)
    outputs = [name for name in SENT if name not in OPTIONAL or names[name] in metadata.topics]
    topics = [names[name] for name in wanted or outputs]
    cluster.refuse_missing(metadata, topics)
    return [TopicPartition(topic, number, start) for topic in topics for number in metadata.topics[topic].partitions]


def _consumer(connection: Connection) -> Consumer:
    def warn(error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            sys.stderr.write(f"sluice: {connection.servers} does not answer; waiting for it\n")

    return Consumer(
        {
            **connection.librdkafka(),
            "group.id": "sluice-tail",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,
            "error_cb": warn,
        }
    )
