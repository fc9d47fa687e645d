"""Records that unpack to much more than their size do not take more memory than docs/operations.md states."""

import sys
from pathlib import Path

import cramjam
import orjson
import pytest

from sluicegate.agents.kafka.record_batches import MAX_RECORD_BYTES
from tests.support.brokers import Broker, TopicMaker
from tests.support.raw_batches import RawRecord, batch, encoded, field, produce, varint
from tests.support.worker_process import make_stream, run_worker

MOST_BYTES = 512 * 1024 * 1024
"""What records may take on top of an idle worker."""


def zstd(records: list[RawRecord]) -> bytes:
    return batch(records, codec=4, payload=bytes(cramjam.zstd.compress(encoded(records))))


def with_headers(count: int) -> RawRecord:
    """A valid query whose headers take two bytes each, and in Python a hundred."""
    query = field(None) + field(b'{"query": "red shoes"}')
    return RawRecord(body=query + varint(count) + (field(b"") + field(None)) * count)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_decompression_bombs_do_not_take_the_workers_memory(broker: Broker, topics: TopicMaker, tmp_path: Path) -> None:
    stream = make_stream(broker, topics, partitions=4)
    bomb = zstd([RawRecord(None, bytes(100 * 1024 * 1024))])
    one_large = zstd([RawRecord(None, bytes(15 * 1024 * 1024))])
    text = b"x" * (MAX_RECORD_BYTES - 1000)
    valid = zstd([RawRecord(None, orjson.dumps({"query": "red shoes", "x": text.decode()}))] * 15)
    broken = zstd([RawRecord(None, b"[" + text)] * 15)
    headers = [zstd([with_headers(4_000_000)]), zstd([with_headers(32_000)] * 100), zstd([with_headers(6_000)] * 100)]
    with run_worker(stream, tmp_path) as worker:
        before = worker.peak_memory_bytes
        for partition in range(4):
            for raw in (*[bomb] * 15, *[one_large] * 5, *headers, valid, broken):
                assert produce(broker.bootstrap_servers, stream.topics["raw"], partition, raw) == 0
        stream.await_commits(timeout_s=180)
        taken = worker.peak_memory_bytes - before
        assert worker.healthy()
        worker.stop()
    letters = [output.event for output in stream.outputs() if output.name == "deadletter"]
    assert sum("unpacks to more than 16 MiB" in letter["error"] for letter in letters) == 60
    assert sum("larger than 1 MiB" in letter["error"] for letter in letters) == 4 * (5 + 1 + 100)
    assert stream.ledger_count() == 4 * (15 + 5 + 201 + 15 + 15)
    assert taken < MOST_BYTES, f"{taken >> 20} MiB"
