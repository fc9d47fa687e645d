"""What reading Kafka's records says where there is no Kafka."""

import pytest

from sluicegate.agents.kafka import record_log
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.record_log import RecordLog
from sluicegate.schemas.errors import BrokerUnavailable


def test_kafka_that_does_not_answer_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_log, "ADMIN_TIMEOUT_S", 0.5)
    with pytest.raises(BrokerUnavailable, match=r"cannot reach Kafka at .* start it, correct SLUICE_BOOTSTRAP"):
        RecordLog(Connection.plaintext("127.0.0.1:1"))
