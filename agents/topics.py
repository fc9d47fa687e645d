"""The topics on the cluster: make them, look at them, insist on them. Every function blocks: call it off the loop."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the stubs forget to export two public classes
    AdminClient,
    ClusterMetadata,
    NewTopic,
)

from agents.publisher import MAX_MESSAGE_BYTES
from schemas.errors import BrokerUnavailable, ConfigurationError

ADMIN_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class PartitionOffsets:
    """One partition: its first offset, the offset after its last record, and where the group goes on (None: unset)."""

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
    """What each of `Settings.topics` is created with: dead letters must hold any input, base64 and headers included."""
    return {
        name: {"max.message.bytes": str(MAX_MESSAGE_BYTES)} if event == "deadletter" else {}
        for event, name in topics.items()
    }


def create_topics(
    bootstrap_servers: str, topics: Mapping[str, Mapping[str, str]], partitions: int, replication_factor: int
) -> list[str]:
    """Create the topics that do not exist yet, each with its own configuration, and return their names.

    Those that exist are left as they are. On return, clients can use the new ones. Raises BrokerUnavailable, or
    ConfigurationError with the cluster's reason for the first topic that it refuses.
    """
    admin = _admin(bootstrap_servers)
    existing = _metadata(admin, bootstrap_servers, ADMIN_TIMEOUT_S).topics
    new = [
        NewTopic(name, num_partitions=partitions, replication_factor=replication_factor, config=dict(config))
        for name, config in topics.items()
        if name not in existing
    ]
    if not new:
        return []
    created = []
    for name, done in admin.create_topics(new, request_timeout=ADMIN_TIMEOUT_S).items():
        try:
            done.result()
        except KafkaException as error:
            reason = _kafka_error(error)
            if reason.code() != KafkaError.TOPIC_ALREADY_EXISTS:  # somebody else was faster: as good
                raise ConfigurationError(f"cannot create topic {name}: {reason.str()}") from error
        else:
            created.append(name)
    _await_visible(admin, bootstrap_servers, created)
    return created


def describe_topics(bootstrap_servers: str, names: Iterable[str], group_id: str) -> list[TopicDescription]:
    """Describe the topics in the order given: partitions, replication, offsets, and the lag of the group.

    Raises BrokerUnavailable, or ConfigurationError when a topic is missing.
    """
    names = list(names)
    admin = _admin(bootstrap_servers)
    metadata = _metadata(admin, bootstrap_servers, ADMIN_TIMEOUT_S)
    _refuse_missing(metadata, bootstrap_servers, names)
    # Asking as the group is not joining it: that takes a subscription.
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": group_id, "log_level": 0})
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
            f"Kafka at {bootstrap_servers} did not tell the offsets: {_kafka_error(error).str()}; try again"
        ) from error
    finally:
        consumer.close()


def require_topics(bootstrap_servers: str, names: Iterable[str], timeout_s: float) -> None:
    """Return if the cluster answers within `timeout_s` and has every topic; what a worker asks before it starts.

    Raises BrokerUnavailable or ConfigurationError. It asks for all topics, not for these: some brokers create a topic
    when they are asked for it by name.
    """
    _refuse_missing(_metadata(_admin(bootstrap_servers), bootstrap_servers, timeout_s), bootstrap_servers, names)


def _admin(bootstrap_servers: str) -> AdminClient:
    # log_level 0: the library writes to stderr by itself; what matters is in our exceptions.
    return AdminClient({"bootstrap.servers": bootstrap_servers, "client.id": "sluicegate-admin", "log_level": 0})


def _metadata(admin: AdminClient, bootstrap_servers: str, timeout_s: float) -> ClusterMetadata:
    try:
        return admin.list_topics(timeout=timeout_s)
    except KafkaException as error:
        raise BrokerUnavailable(
            f"cannot reach Kafka at {bootstrap_servers} within {timeout_s:g} s: "
            "start it, correct the bootstrap servers, or try everything locally with `sluice up`"
        ) from error


def _refuse_missing(metadata: ClusterMetadata, bootstrap_servers: str, names: Iterable[str]) -> None:
    missing = [name for name in names if name not in metadata.topics]
    if missing:
        raise ConfigurationError(
            f"Kafka at {bootstrap_servers} has no topic {', '.join(missing)}: create with `sluice topics create`"
        )


def _await_visible(admin: AdminClient, bootstrap_servers: str, names: list[str]) -> None:
    """Wait for the broker to learn what the controller has created: it says yes a moment before clients can see it."""
    deadline = time.monotonic() + ADMIN_TIMEOUT_S
    while not all(name in _metadata(admin, bootstrap_servers, ADMIN_TIMEOUT_S).topics for name in names):
        if time.monotonic() > deadline:
            raise BrokerUnavailable(f"Kafka at {bootstrap_servers} created {', '.join(names)} but does not show them")
        time.sleep(0.05)


def _progress(consumer: Consumer, partitions: list[TopicPartition]) -> tuple[PartitionOffsets, ...]:
    committed = consumer.committed(partitions, timeout=ADMIN_TIMEOUT_S)
    return tuple(
        PartitionOffsets(
            position.partition,
            *consumer.get_watermark_offsets(position, timeout=ADMIN_TIMEOUT_S),
            committed=position.offset if position.offset >= 0 else None,
        )
        for position in committed
    )


def _kafka_error(error: KafkaException) -> KafkaError:
    reason = error.args[0]
    return reason if isinstance(reason, KafkaError) else KafkaError(KafkaError.UNKNOWN, str(error))
