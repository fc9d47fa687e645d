"""A broker of each kind for the whole run, and topics that no other test has."""

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from sluicegate.agents.kafka.admin import create_topics
from tests.support.brokers import Broker, NoBroker, TopicMaker, shared_broker
from tests.support.kafka_cluster import SecuredKafka, available
from tests.support.worker_process import Stream, make_stream


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def embedded_broker(run_folder: Path) -> Iterator[Broker]:
    with shared_broker("embedded", run_folder) as broker:
        yield broker


@pytest.fixture(scope="session")
def apache_broker(run_folder: Path) -> Iterator[Broker]:
    with ExitStack() as stack:
        try:
            broker = stack.enter_context(shared_broker("apache", run_folder))
        except NoBroker as reason:
            pytest.skip(f"no real Kafka: {reason}")
        yield broker


@pytest.fixture(scope="session")
def secured_kafka() -> Iterator[SecuredKafka]:
    """A broker with TLS, SASL and ACLs. The tests that ask for it are in the xdist group "secured", to share it."""
    if reason := available():
        pytest.skip(f"no real Kafka: {reason}")
    with SecuredKafka() as secured:
        yield secured


@pytest.fixture(params=["embedded", "apache"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each test that asks for it runs against both; choose one with `-k embedded` or `-k apache`."""
    found: Broker = request.getfixturevalue(f"{request.param}_broker")
    return found


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


@pytest.fixture
def stream(broker: Broker, topics: TopicMaker) -> Stream:
    """Topics and a consumer group that no other test has, on either broker."""
    return make_stream(broker, topics)
