"""A batch in any of Kafka's codecs is read."""

from pathlib import Path

import orjson
from confluent_kafka import Producer

from tests.support.brokers import Broker, TopicMaker
from tests.support.worker_process import make_stream, run_worker

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
COUNT = 200


def test_a_batch_of_every_codec_is_read(broker: Broker, topics: TopicMaker, tmp_path: Path) -> None:
    stream = make_stream(broker, topics, partitions=1)
    value = orjson.dumps({"query": "cheap red running shoes for women"})
    for codec in CODECS:
        producer = Producer(
            {"bootstrap.servers": broker.bootstrap_servers, "compression.type": codec, "linger.ms": 500}
        )
        for _ in range(COUNT):  # enough in one batch for it to be worth compressing
            producer.produce(stream.topics["raw"], value)
        assert producer.flush(30) == 0
    with run_worker(stream, tmp_path) as worker:
        stream.await_commits()
        worker.stop()
    assert stream.ledger_count() == COUNT * len(CODECS)
