"""What a command checks before it starts: whether the topics exist, and whether we may use them."""

from collections.abc import Collection, Iterable
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined] # the stubs forget to export it

from sluicegate.agents.kafka.cluster import ADMIN_TIMEOUT_S, Cluster, kafka_error
from sluicegate.agents.kafka.connection import Connection
from sluicegate.schemas.errors import ConfigurationError

_UNAUTHORISED: Final = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}


def require_topics(connection: Connection, names: Collection[str], timeout_s: float) -> None:
    """Return if the cluster answers within `timeout_s` and has every topic; a worker checks it before it starts.

    Raises BrokerUnavailable or ConfigurationError. It asks for all topics, not for these: some brokers create a topic
    that is asked for by name.
    """
    cluster = Cluster(connection)
    cluster.refuse_missing(cluster.metadata(timeout_s), names)


def require_rights(connection: Connection, *, read: str, write: Iterable[str], group_id: str) -> None:
    """Return if we may read the topic `read` as the group and write the others, as far as the cluster says.

    Raises ConfigurationError that names every missing right.
    """
    admin = Cluster(connection).admin
    needed = {read: AclOperation.READ, **dict.fromkeys(write, AclOperation.WRITE)}
    asking: dict[str, Any] = {"include_authorized_operations": True, "request_timeout": ADMIN_TIMEOUT_S}
    topics = admin.describe_topics(TopicCollection(list(needed)), **asking)
    (group,) = admin.describe_consumer_groups([group_id], **asking).values()
    missing = [
        f"{operation.name.title()} on topic {name}"
        for name, operation in needed.items()
        if not _allows(topics[name], operation)
    ]
    if not _allows(group, AclOperation.READ):
        missing.append(f"Read on group {group_id}")
    if missing:
        raise ConfigurationError(
            f"Kafka at {connection.servers} does not let us {', '.join(missing)}: grant it by ACLs"
        )


def _allows(described: Future[Any], operation: AclOperation) -> bool:
    try:
        operations = described.result().authorized_operations
    except KafkaException as error:
        return kafka_error(error).code() not in _UNAUTHORISED  # otherwise the broker cannot tell
    return not operations or operation in operations
