"""What a cluster lacks for an agent: topics, and a principal's rights. As commands of Kafka's own tools, or applied.

Every function blocks: call it off the event loop.
"""

import shlex
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the stubs forget to export some public classes
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)

from sluicegate.agents.kafka.admin import create_topics
from sluicegate.agents.kafka.cluster import ADMIN_TIMEOUT_S, Cluster, kafka_error
from sluicegate.agents.kafka.connection import Connection
from sluicegate.schemas.errors import BrokerUnavailable, ConfigurationError

CLIENT_PROPERTIES: Final = "admin.properties"
"""The file that the commands read an administrator's login from, on a cluster that asks for one."""

_OPERATIONS: Final = {"Read": AclOperation.READ, "Write": AclOperation.WRITE}
_RESOURCES: Final = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}
_EVERYBODY: Final = "User:*"


@dataclass(frozen=True, slots=True)
class Right:
    """What a principal must be allowed to do. Kafka derives the right to describe from either operation."""

    operation: Literal["Read", "Write"]
    resource: Literal["topic", "group"]
    name: str

    def __str__(self) -> str:
        return f"{self.operation} on {self.resource} {self.name}"


@dataclass(frozen=True, slots=True)
class ClusterUse:
    """What one agent uses of the cluster: the topic that it reads, with its group, and the topics that it writes."""

    agent: str
    reads: str
    group_id: str
    writes: tuple[str, ...]

    @property
    def topics(self) -> tuple[str, ...]:
        """Every topic that it needs."""
        return (self.reads, *self.writes)

    @property
    def rights(self) -> tuple[Right, ...]:
        """Every right that it needs. An idempotent producer needs no other, from Kafka 3 on."""
        written = (Right("Write", "topic", topic) for topic in self.writes)
        return (Right("Read", "topic", self.reads), Right("Read", "group", self.group_id), *written)


@dataclass(frozen=True, slots=True)
class NewTopics:
    """How missing topics are made: their configurations by name, and the same partitions and replicas for all."""

    configs: Mapping[str, Mapping[str, str]]
    partitions: int
    replication: int


@dataclass(frozen=True, slots=True)
class Missing:
    """What the cluster lacks."""

    topics: tuple[str, ...]
    rights: tuple[Right, ...]
    denied: tuple[Right, ...]
    """Rights that an ACL denies: one more ACL that allows does not help."""

    def __bool__(self) -> bool:
        return bool(self.topics or self.rights or self.denied)


def find_missing(connection: Connection, uses: Iterable[ClusterUse], principal: str | None) -> Missing:
    """Compare the cluster with what agents use. Without a `principal`, rights are not looked at.

    An ACL for a prefix, for everybody or for one host counts.

    Raises:
        BrokerUnavailable: the cluster does not answer.
        ConfigurationError: it refuses us, or it does not let us see its ACLs.
    """
    uses = list(uses)
    cluster = Cluster(connection)
    existing = cluster.metadata(ADMIN_TIMEOUT_S).topics
    topics = tuple(dict.fromkeys(topic for use in uses for topic in use.topics if topic not in existing))
    if principal is None:
        return Missing(topics, (), ())
    allowed, denied = _by_permission(_bindings(cluster, connection), principal)
    needed = tuple(dict.fromkeys(right for use in uses for right in use.rights))
    refused = tuple(right for right in needed if _covers(denied, right))
    return Missing(
        topics, tuple(right for right in needed if right not in refused and not _covers(allowed, right)), refused
    )


def commands(connection: Connection, missing: Missing, new: NewTopics, principal: str | None) -> list[str]:
    """The commands of `kafka-topics.sh` and `kafka-acls.sh` that create what is missing, ready for a shell."""
    where = ["--bootstrap-server", connection.servers]
    if connection.secured:
        where += ["--command-config", CLIENT_PROPERTIES]
    size = ["--partitions", str(new.partitions), "--replication-factor", str(new.replication)]
    lines = []
    for topic in missing.topics:
        configs = [each for key, value in new.configs[topic].items() for each in ("--config", f"{key}={value}")]
        lines.append(
            shlex.join(["kafka-topics.sh", *where, "--create", "--if-not-exists", "--topic", topic, *size, *configs])
        )
    for operation in _OPERATIONS:
        rights = [right for right in missing.rights if right.operation == operation]
        resources = [each for right in rights for each in (f"--{right.resource}", right.name)]
        if resources:
            rule = ["--allow-principal", principal or "", "--operation", operation, *resources]
            lines.append(shlex.join(["kafka-acls.sh", *where, "--add", *rule]))
    return lines


def create_missing(
    connection: Connection, uses: Sequence[ClusterUse], missing: Missing, new: NewTopics, principal: str | None
) -> None:
    """Create what `missing` names, and wait until the cluster shows it.

    Raises:
        BrokerUnavailable: the cluster does not answer.
        ConfigurationError: it refuses a topic or an ACL, or another ACL denies a right.
    """
    create_topics(connection, {topic: new.configs[topic] for topic in missing.topics}, new.partitions, new.replication)
    if principal and missing.rights:
        _grant(Cluster(connection), missing.rights, principal)
    give_up = time.monotonic() + ADMIN_TIMEOUT_S
    while (still := find_missing(connection, uses, principal)).topics or still.rights:
        if time.monotonic() > give_up:
            raise BrokerUnavailable("the cluster took all of it but does not show it: run the command again")
        time.sleep(0.05)
    if still.denied:
        raise ConfigurationError(
            f"an ACL denies {principal} {', '.join(map(str, still.denied))}: remove it with `kafka-acls.sh --remove`"
        )


_Bindings: TypeAlias = Collection[Any]
"""`AclBinding`s, which the stubs do not export."""


def _bindings(cluster: Cluster, connection: Connection) -> _Bindings:
    """Every ACL of the cluster.

    librdkafka reports no ACLs where the cluster does not let us see them, or has none, so our rights on the cluster are
    asked for, too, and whether a broker has an authorizer.
    """
    everything: Any = (ResourceType.ANY, None, ResourcePatternType.ANY, None, None)
    asked = AclBindingFilter(*everything, AclOperation.ANY, AclPermissionType.ANY)  # type: ignore[call-arg]
    try:
        cluster_rights = cluster.admin.describe_cluster(
            include_authorized_operations=True, request_timeout=ADMIN_TIMEOUT_S
        ).result()
        if AclOperation.DESCRIBE in (cluster_rights.authorized_operations or ()):
            found: _Bindings = cluster.admin.describe_acls(asked, request_timeout=ADMIN_TIMEOUT_S).result()
            if not found and _lacks_authorizer(cluster, cluster_rights.controller):
                raise ConfigurationError(
                    f"Kafka at {connection.servers} has no authorizer, and so no ACLs: plan topics alone with --no-acls"
                )
            return found
        reason = "we have no right to describe the cluster"
    except KafkaException as error:
        reason = kafka_error(error).str()
    remedy = "log in as an administrator, or "
    if not connection.secured:
        reason, remedy = "it has none, or it asks for a login", ""
    raise ConfigurationError(
        f"Kafka at {connection.servers} does not show its ACLs: {reason}: {remedy}plan topics alone with --no-acls"
    )


def _lacks_authorizer(cluster: Cluster, broker: Any) -> bool:
    """Whether `broker` says that it checks no rights. Some brokers do not say."""
    asked = ConfigResource(ConfigResource.Type.BROKER, str(broker.id))
    [answer] = cluster.admin.describe_configs([asked], request_timeout=ADMIN_TIMEOUT_S).values()
    try:
        authorizer = answer.result().get("authorizer.class.name")
    except KafkaException:  # we may not see its configuration
        return False
    return authorizer is not None and not authorizer.value


def _by_permission(bindings: _Bindings, principal: str) -> tuple[list[Any], list[Any]]:
    """The ACLs that allow `principal` something, and those that deny it something."""
    own = [each for each in bindings if each.principal in (principal, _EVERYBODY)]
    allowed = [each for each in own if each.permission_type == AclPermissionType.ALLOW]
    return allowed, [each for each in own if each.permission_type == AclPermissionType.DENY]


def _covers(bindings: Iterable[Any], right: Right) -> bool:
    return any(
        binding.restype == _RESOURCES[right.resource]
        and binding.operation in (_OPERATIONS[right.operation], AclOperation.ALL)
        and (
            right.name.startswith(binding.name)
            if binding.resource_pattern_type == ResourcePatternType.PREFIXED
            else binding.name in (right.name, "*")
        )
        for binding in bindings
    )


def _grant(cluster: Cluster, rights: Iterable[Right], principal: str) -> None:
    rules = {
        AclBinding(
            _RESOURCES[right.resource],
            right.name,
            ResourcePatternType.LITERAL,
            principal,
            "*",
            _OPERATIONS[right.operation],
            AclPermissionType.ALLOW,
        ): right
        for right in rights
    }
    for rule, done in cluster.admin.create_acls(list(rules), request_timeout=ADMIN_TIMEOUT_S).items():
        try:
            done.result()
        except KafkaException as error:
            reason = kafka_error(error)
            raise ConfigurationError(f"cannot grant {principal} {rules[rule]}: {reason.str()}") from error
