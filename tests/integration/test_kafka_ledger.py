"""The Python API's audit records in a topic of Kafka."""

import msgspec
import pytest

from sluicegate import Gate, KafkaLedger
from sluicegate.schemas.events import LedgerRecord
from tests.support.brokers import Broker, TopicMaker
from tests.support.kafka_client import consume_all


def test_every_decision_has_its_record_in_the_topic_when_the_gate_is_closed(
    broker: Broker, topics: TopicMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = topics("ledger")
    monkeypatch.setenv("SLUICE_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    monkeypatch.setenv("SLUICE_TOPIC_LEDGER", topic)
    ledger = KafkaLedger()
    with Gate(ledger=ledger) as gate:
        decisions = gate.decide_many([f"red shoes {n}" for n in range(50)])
    messages = consume_all(broker.bootstrap_servers, [topic], lambda found: len(found) >= 50)
    found = [msgspec.json.decode(message.value() or b"", type=LedgerRecord) for message in messages]
    assert {record.event_id for record in found} == {decision.event_id for decision in decisions}
    assert all(
        (message.key() or b"").decode() == record.event_id for message, record in zip(messages, found, strict=True)
    )
    assert ledger.lost == 0


def test_without_a_broker_decisions_go_on_and_the_lost_records_are_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SLUICE_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("SLUICE_PUBLISH_TIMEOUT_MS", "1000")
    ledger = KafkaLedger()
    with Gate(ledger=ledger) as gate:
        assert gate.decide("red shoes").allow
        gate.decide("blue shoes")
    assert ledger.lost == 2
    assert [message for message in caplog.messages if "an audit record is lost, 1 so far" in message]
