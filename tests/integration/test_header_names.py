"""Commands report records with a header name that is not UTF-8, which client libraries cannot read, and continue."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import orjson
import pytest

from sluicegate.agents.kafka.record_log import RecordLog
from sluicegate.schemas.codec import encode
from sluicegate.schemas.events import DeadLetter, Position, RecordHeader
from tests.support.brokers import Broker, TopicMaker
from tests.support.command import sluice
from tests.support.kafka_client import produce_all
from tests.support.raw_batches import RawRecord, batch, produce
from tests.support.worker_process import Stream, make_stream

NAMES = [(b"fine", b"1"), (b"\xff\xfe", b"2"), (b"none", None)]
COUNT = 12
"""Enough for Python to specialise the call that reads the headers."""


@pytest.fixture
def stream(broker: Broker, topics: TopicMaker) -> Stream:
    """A stream of one partition: records that cannot be read at even offsets, good ones between."""
    made = make_stream(broker, topics, partitions=1)
    for number in range(COUNT):
        now = time.time_ns() // 1_000_000  # retention deletes what is old
        poison = batch([RawRecord(value=b'{"query": "poison"}', headers=NAMES)], timestamp=now)
        assert produce(broker.bootstrap_servers, made.topics["raw"], 0, poison) == 0
        produce_all(broker.bootstrap_servers, made.topics["raw"], [(None, b'{"query": "good %d"}' % number, [])])
    return made


def test_tail_shows_the_record_and_goes_on(stream: Stream) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "sluicegate", "tail", "raw", "--from-beginning"],
        env={**os.environ, **stream.environment},
        stdout=subprocess.PIPE,
    ) as tail:
        assert tail.stdout is not None
        lines = [orjson.loads(tail.stdout.readline() or b"null") for _ in range(2 * COUNT)]
        tail.terminate()
    poison, good = lines[::2], lines[1::2]
    assert [line["value"] for line in good] == [{"query": f"good {number}"} for number in range(COUNT)]
    assert not any("unreadable" in line for line in good)
    for line in poison:
        assert line["value"] == {"query": "poison"}
        assert (line["headers"], line["unreadable"]) == ({}, "the name of a header is not UTF-8")


def test_a_replayed_range_names_the_record_and_replays_the_others(broker: Broker, stream: Stream) -> None:
    raw = stream.topics["raw"]
    finished = sluice("replay", "range", f"{raw}:0:0-{2 * COUNT - 1}", "--rate", "0", environment=stream.environment)
    assert finished.returncode == 0, finished.stderr
    told = f"{COUNT} of {2 * COUNT} replayed; {COUNT} with a header name that is not UTF-8\n"
    assert finished.stdout.decode() == told
    for offset in range(0, 2 * COUNT, 2):
        assert f"{raw}-0-{offset} cannot be replayed: it is a record with a header name" in finished.stderr.decode()
    with RecordLog(broker.connection) as log:
        replayed = [record.value for record in log.read(log.spans(raw, None))][2 * COUNT :]
    assert replayed == [b'{"query": "good %d"}' % number for number in range(COUNT)]


def test_a_dead_letter_with_such_a_name_is_named_and_not_replayed_with_another(stream: Stream) -> None:
    at = datetime.now(UTC)
    letter = DeadLetter(
        event_id="event-0",
        event_time=at,
        processing_time=at,
        model_version="m@1",
        prompt_version="p",
        error_type="ContractError",
        error="the name of a header is not UTF-8",
        source=Position(topic=stream.topics["raw"], partition=0, offset=0),
        key=None,
        value=b'{"query": "poison"}',
        headers=[RecordHeader(name="\\xff", value=b"2", name_bytes=b"\xff")],
    )
    produce_all(stream.bootstrap_servers, stream.topics["deadletter"], [(None, encode(letter), [])])
    finished = sluice("replay", "deadletters", environment=stream.environment)
    assert finished.stdout.decode() == "0 of 1 replayed; 1 with a header name that is not UTF-8\n"
    assert f"{stream.topics['raw']}-0-0 cannot be replayed" in finished.stderr.decode()
