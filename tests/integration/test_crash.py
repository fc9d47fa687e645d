import random
from pathlib import Path

import orjson
import pytest

from sluicegate.models.data.products import product_query
from tests.support.accounts import assert_accounted_for, assert_contracts_hold, expected_event_id
from tests.support.brokers import Broker, TopicMaker
from tests.support.kafka_client import Record
from tests.support.worker_process import Stream, make_stream, run_worker, wait_for

COUNT = 2000
SESSION_MS = 6_000  # the least that Kafka allows: the new worker waits for the dead one's session to end


def events() -> list[Record]:
    """Product queries; every other one without an event id."""
    rng = random.Random(5)
    queries = [{"query": product_query(rng).text} for _ in range(COUNT)]
    for number in range(0, COUNT, 2):
        queries[number]["event_id"] = f"event-{number}"
    return [(None, orjson.dumps(query), []) for query in queries]


def kill_in_mid_stream(stream: Stream, folder: Path) -> None:
    """Start a worker and kill it with SIGKILL once it has decided some hundred events more."""
    done = stream.ledger_count()
    with run_worker(stream, folder, session_timeout_ms=SESSION_MS) as worker:
        wait_for(lambda: stream.ledger_count() > done + 300, 60, "the worker does not work")
        worker.kill()


def test_no_event_is_lost_when_workers_are_killed_in_mid_stream(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    if broker.kind == "embedded":
        pytest.skip("the embedded broker never removes a dead member from its group")
    stream = make_stream(broker, topics)
    stream.produce(events())

    kill_in_mid_stream(stream, tmp_path)
    kill_in_mid_stream(stream, tmp_path)
    committed = stream.committed()
    with run_worker(stream, tmp_path, session_timeout_ms=SESSION_MS) as worker:
        stream.await_commits()
        worker.stop()

    inputs, outputs = stream.inputs(), stream.outputs()
    assert sum(committed.values()) < COUNT, "the kills came too late to show anything"
    assert_accounted_for(inputs, outputs, once=False)
    assert_contracts_hold(outputs)
    ledgers = [output.event_id for output in outputs if output.name == "ledger"]
    assert len(ledgers) > COUNT, "nothing was redelivered: the kills showed nothing"
    assert set(ledgers) == set(map(expected_event_id, inputs))


def test_a_worker_that_waits_for_a_dead_member_ends_at_sigterm_and_in_json(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics)
    stream.produce(events()[:20])
    with run_worker(stream, tmp_path, session_timeout_ms=45_000) as worker:
        stream.await_commits()
        worker.kill()
    with run_worker(stream, tmp_path, session_timeout_ms=45_000) as worker:
        worker.stop()
        assert [line for line in worker.log.splitlines() if not line.startswith("{")] == []
