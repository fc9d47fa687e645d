"""Broken records that are too large for the dead-letter topic: what does not fit is left out."""

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.brokers import Broker, TopicMaker
from tests.support.command import sluice
from tests.support.compiled import compiled_tiny
from tests.support.worker_process import make_stream, run_worker

KAFKAS_DEFAULT = {"max.message.bytes": "1048588"}
LARGE = 900_000
"""Bytes that fit the input topic, and not, in base64, the dead-letter topic."""


def test_a_broken_record_is_a_dead_letter_whatever_its_bulk_is(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    if broker.kind == "embedded":
        pytest.skip("the embedded broker takes any size")
    stream = make_stream(broker, topics, partitions=1, configs={"deadletter": KAFKAS_DEFAULT})
    bulk = os.urandom(LARGE)  # no codec makes it smaller
    small = [("small", b"1")]
    records: list[Any] = [
        (b"key", b"broken " + bulk, small),
        (b"key", b"broken", [("large", bulk)]),
        (bulk, b"broken", small),
        (bulk[: LARGE // 2], b"broken", [("large", bulk[LARGE // 2 :])]),
        (b"key", b"broken", small),
    ]
    for record in records:
        stream.produce([record])
    model = compiled_tiny(tmp_path / "model", "embedded")
    with run_worker(stream, tmp_path, model=model) as worker:
        stream.await_commits()
        worker.stop()
    events = [output.event for output in stream.outputs() if output.name == "deadletter"]
    letters = {event["source"]["offset"]: event for event in events}
    omitted = {
        offset: {part for part in ("value", "headers", "key") if letter[f"{part}_omitted"]}
        for offset, letter in letters.items()
    }
    assert omitted == {
        0: {"value"},
        1: {"value", "headers"},
        2: {"value", "key"},
        3: {"value", "headers", "key"},
        4: set(),
    }
    for offset, (key, value, headers) in enumerate(records):
        letter = letters[offset]
        assert letter["source"] == {"topic": stream.topics["raw"], "partition": 0, "offset": offset}
        assert letter["key"] == (None if letter["key_omitted"] else base64.b64encode(key).decode())
        assert letter["value"] == (None if letter["value_omitted"] else base64.b64encode(value).decode())
        assert [header["name"] for header in letter["headers"]] == (
            [] if letter["headers_omitted"] else [name for name, _ in headers]
        )

    finished = sluice("replay", "deadletters", "--rate", "0", environment=stream.environment)
    assert finished.stdout == b"5 of 5 replayed\n", finished.stderr
    replayed = {}
    for message in stream.inputs()[len(records) :]:
        headers_of: Any = message.headers()
        replayed[dict(headers_of)["replay_of"].decode()] = message.key(), message.value(), headers_of[:1]
    assert replayed == {f"{stream.topics['raw']}-0-{offset}": record for offset, record in enumerate(records)}


def test_produce_names_a_refused_record_in_one_line(broker: Broker, topics: TopicMaker) -> None:
    if broker.kind == "embedded":
        pytest.skip("the embedded broker takes any size")
    stream = make_stream(broker, topics, partitions=1, configs={"raw": {"max.message.bytes": "2000"}})
    large = base64.b64encode(os.urandom(4000))
    lines = b'{"query": "red shoes"}\n' + large + b"\n"
    finished = sluice("produce", "--jsonl", given=lines, environment=stream.environment)
    assert finished.returncode == 65
    assert finished.stdout.count(b"\n") == 1, "the record before it is published"
    assert finished.stderr.startswith(b"sluice: cannot publish ")
    assert b"max.message.bytes" in finished.stderr
    assert finished.stderr.count(b"\n") == 1
    assert large not in finished.stderr
