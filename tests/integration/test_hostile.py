import random
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Message

from tests.support.accounts import assert_accounted_for, assert_contracts_hold
from tests.support.brokers import Broker, TopicMaker
from tests.support.hostile_values import HEADERS, KEYS, VALID, VALUES, mutated
from tests.support.kafka_client import Record
from tests.support.worker_process import Output, make_stream, original, run_worker

COUNT = 2000
MEGABYTE = 999_000  # the clients' default limit leaves this much


def hostile_records() -> list[Record]:
    """Everything in `VALUES` with every kind of key and header, a few of a megabyte, and mutations of a valid event."""
    rng = random.Random(20260131)
    records: list[Record] = [
        (b"k" * 100_000, VALID, [("huge", b"h" * 100_000)]),
        (None, orjson.dumps({"query": "red shoes " * (MEGABYTE // 10)}), []),
        (None, orjson.dumps({"query": "\u0301<" * (MEGABYTE // 3), "event_id": "marks"}), []),
        (None, b'{"query": "' + rng.randbytes(MEGABYTE), [("traceparent", b"broken")]),
        (b"user", b"[" * MEGABYTE, []),
    ]
    for number in range(COUNT - len(records)):
        value = VALUES[number % len(VALUES)] if number < 3 * len(VALUES) else mutated(VALID, rng)
        records.append((rng.choice(KEYS), value, rng.choice(HEADERS)))
    return records


def test_every_hostile_record_ends_in_a_dead_letter_or_a_valid_outcome(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics)
    stream.produce(hostile_records())

    with run_worker(stream, tmp_path) as worker:
        stream.await_commits(timeout_s=120)
        assert worker.healthy()
        worker.stop()

    inputs, outputs = stream.inputs(), stream.outputs()
    assert len(inputs) == COUNT
    assert_accounted_for(inputs, outputs)
    assert_contracts_hold(outputs)
    letters = [output for output in outputs if output.name == "deadletter"]
    assert 500 < len(letters) < COUNT - 300  # some of either kind, or this shows little
    records = {(message.partition(), message.offset()): message for message in inputs}
    for letter in letters:
        source = letter.event["source"]
        assert_original(letter, records[source["partition"], source["offset"]])


def test_stacked_accents_hold_up_no_other_query(broker: Broker, topics: TopicMaker, tmp_path: Path) -> None:
    stream = make_stream(broker, topics)
    accents = orjson.dumps({"query": "o" + "\u0316\u0301" * 5000})  # 20 kB; NFKC sorts them, in quadratic time
    plain: list[Record] = [(None, orjson.dumps({"query": f"red shoes {n}"}), []) for n in range(200)]
    stream.produce([*[(None, accents, [])] * 200, *plain])

    with run_worker(stream, tmp_path, max_query_chars=2048, cache_size=0) as worker:
        stream.await_commits(timeout_s=60)
        assert worker.healthy()
        worker.stop()

    outputs = [output.event for output in stream.outputs() if output.name == "ledger"]
    assert len(outputs) == 400
    assert not any(event["decision"]["degraded"] for event in outputs)
    assert sum("combining_capped" in event["decision"]["reason_codes"] for event in outputs) == 200


def assert_original(letter: Output, message: Message) -> None:
    headers: Any = message.headers() or []
    assert letter.event["value_omitted"] is False
    assert original(letter.event["key"]) == message.key()
    assert original(letter.event["value"]) == message.value()
    assert [(header["name"], original(header["value"])) for header in letter.event["headers"]] == headers
