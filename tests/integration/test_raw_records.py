"""Record batches that no client library can read end in dead letters, and later records are decided."""

import base64
import tempfile
from pathlib import Path
from typing import Any

import cramjam
import pytest

from tests.support.brokers import Broker, TopicMaker
from tests.support.command import sluice
from tests.support.raw_batches import RawRecord, batch, encoded, produce
from tests.support.worker_process import Stream, make_stream, run_worker

QUERY = b'{"query": "red shoes"}'
GOOD = [RawRecord(b"k", QUERY), RawRecord(b"k", QUERY), RawRecord(b"k", QUERY)]


def zstd(records: list[RawRecord]) -> bytes:
    return batch(records, codec=4, payload=bytes(cramjam.zstd.compress(encoded(records))))


BOMB = zstd([RawRecord(None, bytes(100 * 1024 * 1024))])

BATCHES: dict[str, bytes] = {
    "a header name that is not UTF-8": batch([GOOD[0], RawRecord(b"\xff", QUERY, [(b"\xff\xfe", b"\x00")]), GOOD[0]]),
    "a header without a name": batch([RawRecord(b"k", QUERY, [(None, b"1")])]),
    "fields that do not fit": batch([GOOD[0], RawRecord(body=b"\xff" * 20)]),
    "records that do not fit": batch(GOOD, payload=b"\xff" * 20),
    "an unknown codec": batch(GOOD, codec=5),
    "broken zstd": batch(GOOD, codec=4, payload=b"\x01" * 40),
    "broken lz4": batch(GOOD, codec=3, payload=b"\x01" * 40),
    "a decompression bomb": BOMB,
    "equal offsets": batch([RawRecord(b"k", QUERY, offset_delta=0), RawRecord(b"k", QUERY, offset_delta=0)]),
    "an offset far away": batch([RawRecord(b"k", QUERY, offset_delta=2**30), GOOD[0]]),
    "fewer records than it announces": batch(GOOD, count=5, last_delta=4),
    "more bytes than its records": batch(GOOD, payload=encoded(GOOD) + b"more"),
    "a last offset before its first": batch(GOOD, last_delta=-5),
    "timestamps before the epoch": batch(GOOD, timestamp=-5),
    "timestamps at the end of time": batch(GOOD, timestamp=2**63 - 1),
}


def covered(stream: Stream) -> set[int]:
    """The offsets with an outcome; a dead letter may stand for several."""
    offsets: set[int] = set()
    for output in stream.outputs():
        if output.name == "ledger":
            offsets.add(output.event["source"]["offset"])
        if output.name == "deadletter":
            first = output.event["source"]["offset"]
            offsets.update(range(first, (output.event["last_offset"] or first) + 1))
    return offsets


def test_commands_name_a_batch_that_their_client_cannot_read_and_how_to_go_on(
    broker: Broker, topics: TopicMaker
) -> None:
    stream = make_stream(broker, topics, partitions=1)
    topic = stream.topics["raw"]
    for raw in (batch(GOOD), BATCHES["broken zstd"], batch(GOOD)):
        if produce(broker.bootstrap_servers, topic, 0, raw) != 0:
            pytest.skip("this broker refuses such a batch")
    named = f"the record batch at offset 3 of partition 0 of {topic} cannot be read"

    replay = sluice("replay", "range", f"{topic}:0:0-8", "--rate", "0", environment=stream.environment)
    assert replay.returncode == 74
    assert named in replay.stderr.decode()
    assert f"dead letter ({topic}-0-3) says where it ends" in replay.stderr.decode()

    tail = sluice("tail", "raw", "--until-now", "--json", environment=stream.environment)
    assert (tail.returncode, tail.stdout.count(b"\n")) == (0, 3)
    assert named in tail.stderr.decode()


def letters(stream: Stream) -> list[dict[str, Any]]:
    return [output.event for output in stream.outputs() if output.name == "deadletter"]


def test_whatever_a_producer_sends_in_raw_bytes_ends_in_an_outcome(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics, partitions=1)
    topic = stream.topics["raw"]
    accepted = [name for name, raw in BATCHES.items() if produce(broker.bootstrap_servers, topic, 0, raw) == 0]
    assert {"a header name that is not UTF-8", "a decompression bomb", "equal offsets"} <= set(accepted)
    assert produce(broker.bootstrap_servers, topic, 0, batch(GOOD)) == 0

    with run_worker(stream, tmp_path) as worker:
        stream.await_commits(timeout_s=90)
        assert worker.healthy()
        worker.stop()

    [end] = stream.ends().values()
    assert covered(stream) == set(range(end))
    assert "Traceback" not in worker.log
    [named] = [letter for letter in letters(stream) if "not UTF-8" in letter["error"]]
    assert named["error_type"] == "UnreadableRecord"
    assert base64.b64decode(named["key"]) == b"\xff"
    assert base64.b64decode(named["value"]) == QUERY
    assert (named["value_omitted"], named["last_offset"]) == (False, None)
    [header] = named["headers"]
    assert header["name"] == "\\xff\\xfe"
    assert base64.b64decode(header["name_bytes"]) == b"\xff\xfe"
    assert base64.b64decode(header["value"]) == b"\x00"
    [bomb] = [letter for letter in letters(stream) if "16 MiB" in letter["error"]]
    assert (bomb["key"], bomb["value"], bomb["value_omitted"]) == (None, None, True)
    assert bomb["last_offset"] == bomb["source"]["offset"]


def test_a_batch_damaged_on_the_brokers_disk_is_one_dead_letter_with_its_offsets(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    if broker.kind == "embedded":
        pytest.skip("the embedded broker keeps its log in memory")
    stream = make_stream(broker, topics, partitions=1)
    topic = stream.topics["raw"]
    marked = [RawRecord(b"k", b'{"query": "damage me"}')] * 4
    for raw in (batch(GOOD), batch(marked), batch(GOOD)):
        assert produce(broker.bootstrap_servers, topic, 0, raw) == 0
    [log] = Path(tempfile.gettempdir()).glob(f"sluicegate-kafka-*/data-*/{topic}-0/*.log")
    content = log.read_bytes()
    with log.open("r+b") as file:
        file.seek(content.index(b"damage me"))
        file.write(b"D")

    with run_worker(stream, tmp_path) as worker:
        stream.await_commits(timeout_s=90)
        worker.stop()

    [letter] = letters(stream)
    assert (letter["source"]["offset"], letter["last_offset"]) == (3, 6)
    assert letter["error"] == "offsets 3 to 6: the checksum of the record batch is wrong"
    assert stream.ledger_count() == 1 + 2 * len(GOOD)
