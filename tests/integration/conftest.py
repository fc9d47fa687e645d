"""A broker of each kind, once per session, and topics of one's own for each test."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeAlias

import pytest
from confluent_kafka.admin import AdminClient

from sluicegate.agents.kafka.admin import create_topics
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.local.embedded_broker import EmbeddedBroker
from tests.support.kafka_cluster import ApacheKafka, available

TopicMaker: TypeAlias = Callable[..., str]
"""`topics("recall", partitions=4, config={})` makes a topic and returns its name, which no other test has."""


@dataclass(frozen=True)
class Broker:
    """A running broker; `kind` is "embedded" or "apache"."""

    bootstrap_servers: str
    kind: str

    @property
    def connection(self) -> Connection:
        """For our own clients."""
        return Connection.plaintext(self.bootstrap_servers)


@pytest.fixture(scope="session", params=["embedded", "apache"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Each test that asks for it runs against both; choose one with `-k embedded` or `-k apache`."""
    kind = request.param
    reason = available() if kind == "apache" else None
    if reason is not None:
        pytest.skip(f"no real Kafka: {reason}")
    cluster: EmbeddedBroker | ApacheKafka = EmbeddedBroker() if kind == "embedded" else ApacheKafka()
    with ExitStack() as stack:
        try:
            stack.enter_context(cluster)
        except (RuntimeError, OSError) as error:
            if "CI" in os.environ or os.environ.get("REQUIRE_APACHE_KAFKA") == "1":
                raise
            pytest.skip(f"no real Kafka: {error}")
        yield Broker(cluster.bootstrap_servers, kind)


@pytest.fixture
def topics(broker: Broker) -> Iterator[TopicMaker]:
    """A maker of topics that are deleted after the test."""
    prefix = f"test-{uuid.uuid4().hex[:8]}"
    made: list[str] = []

    def make(name: str, *, partitions: int = 4, config: dict[str, str] | None = None) -> str:
        topic = f"{prefix}.{name}"
        made.extend(create_topics(broker.connection, {topic: config or {}}, partitions, 1))
        return topic

    yield make
    if made:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
        for done in admin.delete_topics(made).values():
            done.result()
