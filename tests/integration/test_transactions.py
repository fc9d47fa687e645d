"""Input in transactions: aborted ones are not decided, and no event is lost at the gaps that they leave."""

import random
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.support.brokers import Broker, TopicMaker
from tests.support.worker_process import Stream, make_stream, run_worker, wait_for

SESSION_MS = 6_000


def publish(stream: Stream, prefix: str, count: int, seed: int) -> set[str]:
    """Publish transactions of one to seven events, abort about every third; returns the ids of committed events."""
    rng = random.Random(seed)
    producer = Producer(
        {"bootstrap.servers": stream.bootstrap_servers, "transactional.id": f"{stream.group_id}-{prefix}"}
    )
    producer.init_transactions()
    committed: set[str] = set()
    for transaction in range(count):
        aborted = rng.random() < 0.35
        producer.begin_transaction()
        ids = {f"{prefix}-{'gone' if aborted else 'event'}-{transaction}-{n}" for n in range(rng.randint(1, 7))}
        for event_id in ids:
            producer.produce(stream.topics["raw"], b'{"query": "red shoes", "event_id": "%s"}' % event_id.encode())
        producer.flush()
        if aborted:
            producer.abort_transaction()
        else:
            producer.commit_transaction()
            committed |= ids
    return committed


def decided(stream: Stream) -> list[str]:
    return [output.event_id for output in stream.outputs() if output.name == "ledger"]


def test_aborted_transactions_are_not_decided_and_no_other_event_is_lost(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    if broker.kind == "embedded":
        pytest.skip("the embedded broker has no transactions")
    stream = make_stream(broker, topics)
    expected = publish(stream, "first", 120, seed=3)
    with run_worker(stream, tmp_path, session_timeout_ms=SESSION_MS) as worker:
        wait_for(lambda: stream.ledger_count() > len(expected) // 2, 60, "the worker decides nothing")
        worker.kill()
    expected |= publish(stream, "second", 60, seed=4)
    with run_worker(stream, tmp_path, session_timeout_ms=SESSION_MS) as worker:
        expected |= publish(stream, "third", 60, seed=5)
        wait_for(lambda: set(decided(stream)) >= expected, 60, "an event is lost")
        worker.stop()
    ends, committed = stream.ends(), stream.committed()
    assert set(decided(stream)) == expected
    assert committed.keys() == ends.keys()
    with run_worker(stream, tmp_path, session_timeout_ms=SESSION_MS) as worker:
        before = stream.ledger_count()
        expected |= publish(stream, "fourth", 10, seed=6)
        wait_for(lambda: set(decided(stream)) >= expected, 60, "an event is lost after a restart")
        worker.stop()
    assert stream.ledger_count() == before + len([event_id for event_id in expected if event_id.startswith("fourth")])
