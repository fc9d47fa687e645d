import time

import pytest
from confluent_kafka import Consumer, TopicPartition

from sluicegate.agents.kafka.admin import create_topics, describe_topics
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.preflight import require_topics
from sluicegate.agents.settings import load_settings
from sluicegate.schemas.errors import BrokerUnavailable, ConfigurationError
from tests.support.brokers import Broker, TopicMaker
from tests.support.kafka_client import committed_offsets, end_offsets, produce_all

NOBODY = "127.0.0.1:1"


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_only_the_topics_that_are_missing_are_created(broker: Broker, topics: TopicMaker) -> None:
    old = topics("old", partitions=2)
    new = f"{old}-new"

    created = create_topics(broker.connection, {old: {}, new: {"retention.ms": "60000"}}, 3, 1)

    assert created == [new]
    old_one, new_one = describe_topics(broker.connection, [old, new], "nobody")
    assert (old_one.name, len(old_one.partitions), old_one.replication) == (old, 2, 1)
    assert (new_one.name, len(new_one.partitions), new_one.replication) == (new, 3, 1)
    assert create_topics(broker.connection, {old: {}, new: {}}, 3, 1) == []


def test_a_topic_that_the_cluster_refuses_is_named_with_the_reason(broker: Broker) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot create topic replicated: .*replica") as error:
        create_topics(broker.connection, {"replicated": {}}, 1, replication_factor=5)
    one_line(error)


def test_the_description_has_offsets_and_the_lag_of_the_group(broker: Broker, topics: TopicMaker) -> None:
    topic = topics("described", partitions=2)
    group = f"{topic}-group"
    produce_all(broker.bootstrap_servers, topic, [(str(n).encode(), b"value", []) for n in range(40)])
    ends = end_offsets(broker.bootstrap_servers, topic)
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": group})
    consumer.commit(offsets=[TopicPartition(topic, 0, 5)], asynchronous=False)
    consumer.close()

    [described] = describe_topics(broker.connection, [topic], group)

    first, second = described.partitions
    assert (first.beginning, first.end, first.committed, first.lag) == (0, ends[0], 5, ends[0] - 5)
    assert (second.beginning, second.end, second.committed, second.lag) == (0, ends[1], None, ends[1])
    assert described.lag == 35
    assert committed_offsets(broker.bootstrap_servers, group, topic) == {0: 5}


def test_existing_topics_satisfy_the_requirement(broker: Broker, topics: TopicMaker) -> None:
    require_topics(broker.connection, [topics("one"), topics("two")], timeout_s=5)


def test_a_missing_topic_is_named_with_the_remedy_and_not_created(broker: Broker, topics: TopicMaker) -> None:
    present = topics("present")
    for _ in range(2):  # asking must not have made it
        with pytest.raises(ConfigurationError) as error:
            require_topics(broker.connection, [present, f"{present}-absent"], timeout_s=5)
        message = one_line(error)
        assert f"has no topic {present}-absent: create with `sluice topics create`" in message
    with pytest.raises(ConfigurationError, match=f"unless you meant {present}$"):
        require_topics(broker.connection, [f"{present}s"], timeout_s=5)
    with pytest.raises(ConfigurationError, match="has no topic"):
        describe_topics(broker.connection, [f"{present}-absent"], "nobody")


def test_a_broker_that_cannot_be_reached_is_one_line_within_the_time_allowed(capfd: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    with pytest.raises(BrokerUnavailable) as error:
        require_topics(Connection.plaintext(NOBODY), ["any"], timeout_s=0.5)
    assert time.monotonic() - started < 2
    assert one_line(error).startswith(f"cannot reach Kafka at {NOBODY} within 0.5 s: {NOBODY}/bootstrap: Connect to ")
    with pytest.raises(BrokerUnavailable, match=r"Failed to resolve 'nobody\.invalid:9092'"):
        require_topics(Connection.plaintext("nobody.invalid:9092"), ["any"], timeout_s=0.5)
    assert capfd.readouterr().err == ""


def test_a_listener_without_tls_is_reported_with_the_setting(broker: Broker) -> None:
    secured = Connection.of(load_settings(bootstrap_servers=broker.bootstrap_servers, security_protocol="ssl"))
    with pytest.raises(BrokerUnavailable, match=r"SSL.*SLUICE_SECURITY_PROTOCOL"):
        require_topics(secured, ["any"], timeout_s=2)


def test_an_unreachable_token_endpoint_is_named_and_is_not_a_refused_login() -> None:
    settings = load_settings(
        bootstrap_servers=NOBODY,
        security_protocol="sasl_plaintext",
        sasl_mechanism="OAUTHBEARER",
        sasl_username="sluicegate",
        sasl_password="correct-horse",
        sasl_token_url="http://127.0.0.1:1/token",
    )
    with pytest.raises(BrokerUnavailable, match="SLUICE_SASL_TOKEN_URL gives no token: ") as error:
        require_topics(Connection.of(settings), ["any"], timeout_s=2)
    assert "horse" not in one_line(error)
