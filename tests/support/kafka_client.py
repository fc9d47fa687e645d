"""A plain Kafka client for the tests; it shares only the library with the code under test."""

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

TIMEOUT_S = 30.0
COORDINATOR_MOVES = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}

Record: TypeAlias = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]
"""Key, value, headers."""


def produce_all(bootstrap_servers: str, topic: str, records: Iterable[Record]) -> None:
    """Publish the records in order and return when the broker has acknowledged every one."""
    refused: list[KafkaError] = []

    def on_delivery(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            refused.append(error)

    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "enable.idempotence": True,
            "max.in.flight.requests.per.connection": 1,  # with more, it spins until its first batches are acked
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    for key, value, headers in records:
        producer.produce(topic, value, key, on_delivery=on_delivery, headers=list(headers))
    assert producer.flush(TIMEOUT_S) == 0, f"{topic}: the broker did not acknowledge everything"
    assert not refused, f"{topic}: {refused[0]}"


def consume_all(
    bootstrap_servers: str,
    topics: Iterable[str],
    until: Callable[[list[Message]], bool],
    timeout_s: float = TIMEOUT_S,
) -> list[Message]:
    """Read the topics from their beginnings until `until` returns true; no group is joined or created.

    `until` gets all messages so far, after each fetch. Fails if it is not true within `timeout_s`.
    """
    messages: list[Message] = []
    deadline = time.monotonic() + timeout_s
    with _consumer(bootstrap_servers, uuid.uuid4().hex) as consumer:
        consumer.assign([part for topic in topics for part in _partitions(consumer, topic, offset=0)])
        while not until(messages):
            assert time.monotonic() < deadline, f"only {len(messages)} messages within {timeout_s:g} s"
            for message in consumer.consume(num_messages=1000, timeout=0.2):
                error = message.error()
                assert error is None, error
                messages.append(message)
    return messages


def committed_offsets(bootstrap_servers: str, group_id: str, topic: str) -> dict[int, int]:
    """Return what the group has committed, by partition; partitions without a commit are left out.

    A broker that is still loading the group's coordinator answers with a retriable error; the request is repeated.
    """
    deadline = time.monotonic() + TIMEOUT_S
    with _consumer(bootstrap_servers, group_id) as consumer:
        while True:
            try:
                committed = consumer.committed(_partitions(consumer, topic), timeout=TIMEOUT_S)
            except KafkaException as error:
                if error.args[0].code() not in COORDINATOR_MOVES or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return {part.partition: part.offset for part in committed if part.offset >= 0}


def end_offsets(bootstrap_servers: str, topic: str) -> dict[int, int]:
    """Return the offset after the last record, by partition."""
    with _consumer(bootstrap_servers, uuid.uuid4().hex) as consumer:
        return {
            part.partition: consumer.get_watermark_offsets(part, timeout=TIMEOUT_S)[1]
            for part in _partitions(consumer, topic)
        }


def _consumer(bootstrap_servers: str, group_id: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": group_id,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )


def _partitions(consumer: Consumer, topic: str, offset: int = -1001) -> list[TopicPartition]:
    metadata = consumer.list_topics(topic, timeout=TIMEOUT_S)
    return [TopicPartition(topic, number, offset) for number in sorted(metadata.topics[topic].partitions)]
