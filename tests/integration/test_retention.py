"""Records that were deleted before the group read them are logged, and later ones are read."""

from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.support.brokers import Broker, TopicMaker
from tests.support.worker_process import make_stream, run_worker

QUERY = b'{"query": "red shoes"}'


def test_records_that_retention_overtook_are_logged_with_their_number(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    if broker.kind == "embedded":
        pytest.skip("the embedded broker deletes no records")
    stream = make_stream(broker, topics, partitions=1)
    stream.produce([(None, QUERY, [])] * 10)
    with run_worker(stream, tmp_path) as worker:
        stream.await_commits()
        worker.stop()
    stream.produce([(None, QUERY, [])] * 10)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    for done in admin.delete_records([TopicPartition(stream.topics["raw"], 0, 17)]).values():
        done.result()
    with run_worker(stream, tmp_path) as worker:
        stream.await_commits()
        worker.stop()
    assert "retention deleted 7 offsets, from 10 on, before they were read" in worker.log
    assert stream.ledger_count() == 13
