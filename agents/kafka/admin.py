"""The topics on the cluster: create and describe them. Every function blocks: call it off the event loop."""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined] # the stubs forget to export it

from sluicegate.agents.kafka.cluster import ADMIN_TIMEOUT_S, Cluster, kafka_error
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.publisher import MAX_MESSAGE_BYTES
from sluicegate.schemas.errors import BrokerUnavailable, ConfigurationError

_COORDINATOR_MOVES: Final = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}


@dataclass(frozen=True, slots=True)
class PartitionOffsets:
    """One partition: its first offset, the offset after its last record, and the group's committed offset, if any."""

    partition: int
    beginning: int
    end: int
    committed: int | None

    @property
    def lag(self) -> int:
        """Records that the group has still to read."""
        return self.end - (self.beginning if self.committed is None else max(self.committed, self.beginning))


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """A topic as the cluster has it, with one group's progress through it."""

    name: str
    replication: int
    partitions: tuple[PartitionOffsets, ...]

    @property
    def lag(self) -> int:
        """Records that the group has still to read, over all partitions."""
        return sum(partition.lag for partition in self.partitions)


def topic_configs(topics: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What each of `Settings.topics` is created with: a dead letter must hold any input, as base64 and with headers."""
    return {
        name: {"max.message.bytes": str(MAX_MESSAGE_BYTES)} if event == "deadletter" else {}
        for event, name in topics.items()
    }


def create_topics(
    connection: Connection, topics: Mapping[str, Mapping[str, str]], partitions: int, replication_factor: int
) -> list[str]:
    """Create the topics that do not exist yet, each with its own configuration, and return their names.

    Those that exist are left as they are. On return, clients can use the new ones. Raises BrokerUnavailable, or
    ConfigurationError with the cluster's reason for the first topic that it refuses.
    """
    cluster = Cluster(connection)
    existing = cluster.metadata(ADMIN_TIMEOUT_S).topics
    new = [
        NewTopic(name, num_partitions=partitions, replication_factor=replication_factor, config=dict(config))
        for name, config in topics.items()
        if name not in existing
    ]
    if not new:
        return []
    created = []
    for name, done in cluster.admin.create_topics(new, request_timeout=ADMIN_TIMEOUT_S).items():
        try:
            done.result()
        except KafkaException as error:
            reason = kafka_error(error)
            if reason.code() != KafkaError.TOPIC_ALREADY_EXISTS:  # created by somebody else meanwhile
                raise ConfigurationError(f"cannot create topic {name}: {reason.str()}") from error
        else:
            created.append(name)
    _await_visible(cluster, created)
    return created


def describe_topics(
    connection: Connection, names: Iterable[str], group_id: str, *, optional: Collection[str] = ()
) -> list[TopicDescription]:
    """Describe the topics in the order given: partitions, replication, offsets, and the lag of the group.

    Those that are `optional` are left out if they are missing. Raises BrokerUnavailable, or ConfigurationError when
    another one is missing.
    """
    cluster = Cluster(connection)
    metadata = cluster.metadata(ADMIN_TIMEOUT_S)
    names = [name for name in names if name not in optional or name in metadata.topics]
    cluster.refuse_missing(metadata, names)
    # A consumer without a subscription does not join the group.
    consumer = Consumer({**connection.librdkafka(), "group.id": group_id, "log_level": 0})
    try:
        return [
            TopicDescription(
                name,
                replication=len(metadata.topics[name].partitions[0].replicas),
                partitions=_progress(
                    consumer, [TopicPartition(name, n) for n in sorted(metadata.topics[name].partitions)]
                ),
            )
            for name in names
        ]
    except KafkaException as error:
        raise BrokerUnavailable(
            f"Kafka at {connection.servers} did not answer with the offsets: {kafka_error(error).str()}; try again"
        ) from error
    finally:
        consumer.close()


def _await_visible(cluster: Cluster, names: list[str]) -> None:
    """Wait until clients can see the new topics: the controller confirms a topic before the brokers know it."""
    deadline = time.monotonic() + ADMIN_TIMEOUT_S
    while not all(name in cluster.metadata(ADMIN_TIMEOUT_S).topics for name in names):
        if time.monotonic() > deadline:
            raise BrokerUnavailable(f"the cluster created {', '.join(names)} but does not show them: try again")
        time.sleep(0.05)


def _progress(consumer: Consumer, partitions: list[TopicPartition]) -> tuple[PartitionOffsets, ...]:
    return tuple(
        PartitionOffsets(
            position.partition,
            *consumer.get_watermark_offsets(position, timeout=ADMIN_TIMEOUT_S),
            committed=position.offset if position.offset >= 0 else None,
        )
        for position in _committed(consumer, partitions)
    )


def _committed(consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
    give_up = time.monotonic() + ADMIN_TIMEOUT_S
    while True:
        try:
            return consumer.committed(partitions, timeout=ADMIN_TIMEOUT_S)
        except KafkaException as error:
            if kafka_error(error).code() not in _COORDINATOR_MOVES or time.monotonic() > give_up:
                raise
            time.sleep(0.1)
