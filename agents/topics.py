"""The topics on the cluster: make them, look at them, insist on them. Every function blocks: call it off the loop."""

import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the stubs forget to export some public classes
    AclOperation,
    AdminClient,
    ClusterMetadata,
    NewTopic,
)

from agents.publisher import MAX_MESSAGE_BYTES
from schemas.errors import BrokerUnavailable, ConfigurationError

ADMIN_TIMEOUT_S = 15.0

Security: TypeAlias = Mapping[str, str]
"""What `agents.kafka_security.librdkafka_security` says."""

NO_SECURITY: Final[Security] = MappingProxyType({})

_ASK_AGAIN_S: Final = 1.0
_NEAR: Final = 0.85
"""Likeness from which on a name may be a slip for another."""
_REFUSALS: Final = {KafkaError._AUTHENTICATION, KafkaError._SSL}
_TOKENLESS: Final = "Failed to acquire SASL OAUTHBEARER token: "
_COORDINATOR_MOVES: Final = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}
_UNAUTHORISED: Final = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}


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
    bootstrap_servers: str,
    topics: Mapping[str, Mapping[str, str]],
    partitions: int,
    replication_factor: int,
    security: Security = NO_SECURITY,
) -> list[str]:
    """Create the topics that do not exist yet, each with its own configuration, and return their names.

    Those that exist are left as they are. On return, clients can use the new ones. Raises BrokerUnavailable, or
    ConfigurationError with the cluster's reason for the first topic that it refuses.
    """
    cluster = _Cluster(bootstrap_servers, security)
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
            reason = _kafka_error(error)
            if reason.code() != KafkaError.TOPIC_ALREADY_EXISTS:  # somebody else was faster: as good
                raise ConfigurationError(f"cannot create topic {name}: {reason.str()}") from error
        else:
            created.append(name)
    _await_visible(cluster, created)
    return created


def describe_topics(
    bootstrap_servers: str, names: Iterable[str], group_id: str, security: Security = NO_SECURITY
) -> list[TopicDescription]:
    """Describe the topics in the order given: partitions, replication, offsets, and the lag of the group.

    Raises BrokerUnavailable, or ConfigurationError when a topic is missing.
    """
    names = list(names)
    cluster = _Cluster(bootstrap_servers, security)
    metadata = cluster.metadata(ADMIN_TIMEOUT_S)
    cluster.refuse_missing(metadata, names)
    # Asking as the group is not joining it: that takes a subscription.
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": group_id, "log_level": 0, **security})
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


def require_topics(
    bootstrap_servers: str, names: Collection[str], timeout_s: float, security: Security = NO_SECURITY
) -> None:
    """Return if the cluster answers within `timeout_s` and has every topic; what a worker asks before it starts.

    Raises BrokerUnavailable or ConfigurationError. It asks for all topics, not for these: some brokers create a topic
    when they are asked for it by name.
    """
    cluster = _Cluster(bootstrap_servers, security)
    cluster.refuse_missing(cluster.metadata(timeout_s), names)


def require_rights(
    bootstrap_servers: str, *, read: str, write: Iterable[str], group_id: str, security: Security = NO_SECURITY
) -> None:
    """Return if we may read the topic `read` as the group and write the others, as far as the cluster says.

    Raises ConfigurationError with every right that is lacking.
    """
    admin = _Cluster(bootstrap_servers, security).admin
    needed = {read: AclOperation.READ, **dict.fromkeys(write, AclOperation.WRITE)}
    asking: dict[str, Any] = {"include_authorized_operations": True, "request_timeout": ADMIN_TIMEOUT_S}
    topics = admin.describe_topics(TopicCollection(list(needed)), **asking)
    (group,) = admin.describe_consumer_groups([group_id], **asking).values()
    lacking = [
        f"{operation.name.title()} on topic {name}"
        for name, operation in needed.items()
        if not _allows(topics[name], operation)
    ]
    if not _allows(group, AclOperation.READ):
        lacking.append(f"Read on group {group_id}")
    if lacking:
        raise ConfigurationError(f"Kafka at {bootstrap_servers} does not let us {', '.join(lacking)}: grant it by ACLs")


def _allows(described: Future[Any], operation: AclOperation) -> bool:
    try:
        operations = described.result().authorized_operations
    except KafkaException as error:
        return _kafka_error(error).code() not in _UNAUTHORISED  # otherwise the broker cannot tell
    return not operations or operation in operations


class _Cluster:
    """Asks a cluster, and tells one that refuses us from one that is away."""

    def __init__(self, bootstrap_servers: str, security: Security) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._secured = bool(security)
        self._refusals: list[str] = []
        self._trouble = "no answer"
        self.admin = AdminClient(
            {
                "bootstrap.servers": bootstrap_servers,
                "client.id": "sluicegate-admin",
                "log_level": 0,  # the library writes to stderr by itself; what matters is in our exceptions
                "error_cb": self._note,  # type: ignore[dict-item]  # the stubs forget callbacks
                **security,
            }
        )

    def metadata(self, timeout_s: float) -> ClusterMetadata:
        """What the cluster has; raises ConfigurationError or BrokerUnavailable."""
        give_up = time.monotonic() + timeout_s
        while True:
            try:
                return self.admin.list_topics(timeout=min(timeout_s, _ASK_AGAIN_S))
            except KafkaException as error:
                self.admin.poll(0)
                if self._refusals:
                    raise ConfigurationError(
                        f"Kafka at {self._bootstrap_servers} refuses us: {self._refusals[0]}: check "
                        "SLUICE_SECURITY_PROTOCOL, SLUICE_SSL_… and SLUICE_SASL_…"
                    ) from error
                if time.monotonic() > give_up:
                    raise BrokerUnavailable(
                        f"cannot reach Kafka at {self._bootstrap_servers} within {timeout_s:g} s: {self._trouble}; "
                        "start it, correct SLUICE_BOOTSTRAP_SERVERS or SLUICE_SECURITY_PROTOCOL, or try everything "
                        "locally with `sluice up`"
                    ) from error

    def refuse_missing(self, metadata: ClusterMetadata, names: Collection[str]) -> None:
        """Raises ConfigurationError when `metadata` lacks a topic."""
        missing = [name for name in names if name not in metadata.topics]
        if not missing:
            return
        others = set(metadata.topics).difference(names)
        meant = sorted({other for name in missing for other in get_close_matches(name, others, 1, _NEAR)})
        raise ConfigurationError(
            f"Kafka at {self._bootstrap_servers} has no topic {', '.join(missing)}"
            f"{', or does not let us see it' if self._secured else ''}: create with `sluice topics create`"
            f"{', unless you meant ' if meant else ''}{', '.join(meant)}"
        )

    def _note(self, error: KafkaError) -> None:
        said = error.str()
        if said.startswith(_TOKENLESS) and '"error"' not in said:  # it gave no answer of RFC 6749, section 5.2
            self._trouble = f"SLUICE_SASL_TOKEN_URL gives no token: {said.removeprefix(_TOKENLESS)}"
        elif error.code() in _REFUSALS:
            self._refusals.append(said)
        elif error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._trouble = said


def _await_visible(cluster: _Cluster, names: list[str]) -> None:
    """Wait for the broker to learn what the controller has created: it says yes a moment before clients can see it."""
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
            if _kafka_error(error).code() not in _COORDINATOR_MOVES or time.monotonic() > give_up:
                raise
            time.sleep(0.1)


def _kafka_error(error: KafkaException) -> KafkaError:
    reason = error.args[0]
    return reason if isinstance(reason, KafkaError) else KafkaError(KafkaError.UNKNOWN, str(error))
