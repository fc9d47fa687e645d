"""What happens when a part fails: a late model, a broker that refuses an output, then the dead letter, then all."""

import dataclasses
import random
import signal
from pathlib import Path
from typing import Any, Literal

import orjson
import pytest
from confluent_kafka import Message
from confluent_kafka.admin import AdminClient

from sluicegate.agents.kafka.admin import create_topics
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.local.embedded_broker import EmbeddedBroker
from tests.support.accounts import assert_accounted_for, assert_contracts_hold, expected_event_id
from tests.support.brokers import Broker, TopicMaker
from tests.support.kafka_client import Record
from tests.support.worker_process import fresh_stream, make_stream, original, run_worker, wait_for

SESSION_MS = 6_000
TINY = {"max.message.bytes": "100"}


def queries(count: int, **fields: object) -> list[Record]:
    return [(None, orjson.dumps({"query": f"red shoes size {n}", **fields}), []) for n in range(count)]


@pytest.mark.parametrize(
    ("fail", "deadline", "outcome"),
    [("closed", {}, "review"), ("open", {}, "allowed"), ("open", {"deadline_ms": 1}, "review")],
    ids=["closed", "open", "open, but the record was in a hurry"],
)
def test_a_late_model_degrades_by_policy_and_says_so(
    broker: Broker,
    topics: TopicMaker,
    tmp_path: Path,
    fail: Literal["closed", "open"],
    deadline: dict[str, int],
    outcome: str,
) -> None:
    stream = make_stream(broker, topics)
    stream.produce(queries(1000, **deadline))

    with run_worker(stream, tmp_path, fail=fail, deadline_ms=10) as worker:
        stream.await_commits()
        worker.stop()

    outputs = stream.outputs()
    assert_accounted_for(stream.inputs(), outputs)
    assert_contracts_hold(outputs)
    ledgers = {output.event_id: output.event for output in outputs if output.name == "ledger"}
    degraded = {event_id for event_id, ledger in ledgers.items() if ledger["decision"]["degraded"]}
    assert len(degraded) > 250
    assert {ledgers[event_id]["outcome"] for event_id in degraded} == {outcome}
    for output in outputs:
        if output.event_id in degraded and output.name != "ledger":
            assert output.event["degraded"] is True
            late = {"degraded:DeadlineExceeded", "degraded:Overloaded"}
            assert late & set(output.event["reason_codes"])


def test_an_output_that_the_broker_refuses_ends_in_a_dead_letter(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics, configs={"recall": TINY, "review": TINY, "blocked": TINY})
    stream.produce(queries(20))

    with run_worker(stream, tmp_path) as worker:
        stream.await_commits()
        worker.stop()

    letters = [output for output in stream.outputs() if output.name == "deadletter"]
    assert {letter.event_id for letter in letters} == set(map(expected_event_id, stream.inputs()))
    assert {letter.event["error_type"] for letter in letters} == {"PublishFailed"}
    assert_contracts_hold(stream.outputs())


def test_a_dead_letter_too_large_for_its_topic_leaves_out_the_value(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics, configs={"deadletter": {"max.message.bytes": "5000"}})
    stream.produce([(b"key", random.Random(3).randbytes(20_000), [("source", b"web")])])  # nothing to compress

    with run_worker(stream, tmp_path) as worker:
        stream.await_commits()
        worker.stop()

    outputs = stream.outputs()
    assert_accounted_for(stream.inputs(), outputs)
    assert_contracts_hold(outputs)
    [letter] = [output for output in outputs if output.name == "deadletter"]
    assert letter.event["value_omitted"] is True
    assert letter.event["value"] is None
    assert original(letter.event["key"]) == b"key"
    assert letter.event["error_type"] == "ContractError", "the reason is the record's, not the dead letter's"


def test_an_event_without_any_outcome_stops_the_worker_and_is_redelivered(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    broken = make_stream(broker, topics, configs={"deadletter": TINY})
    mended = dataclasses.replace(broken, topics={**broken.topics, "deadletter": topics("mended")})
    broken.produce(queries(20))
    poison: Record = (None, b"poison", [])

    with run_worker(broken, tmp_path, session_timeout_ms=SESSION_MS) as worker:
        broken.await_commits()
        broken.produce([*queries(100), poison, *queries(100)])
        assert worker.exit_code(20) != 0
        assert "stopping without acking" in worker.log
    where = next(message for message in broken.inputs() if message.value() == b"poison")
    assert committed_at(broken.committed(), where) <= offset_of(where)

    with run_worker(mended, tmp_path, session_timeout_ms=SESSION_MS) as worker:
        mended.await_commits()
        worker.stop()
    outputs = mended.outputs()
    assert_accounted_for(mended.inputs(), outputs, once=False)
    assert [output.event_id for output in outputs if output.name == "deadletter"] == [expected_event_id(where)]


def test_a_ledger_topic_deleted_in_mid_run_stops_the_worker_and_nothing_is_lost(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    if broker.kind == "embedded":
        pytest.skip("the embedded broker creates missing topics")
    stream = make_stream(broker, topics)
    stream.produce(queries(20))
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    ledger = stream.topics["ledger"]

    with run_worker(stream, tmp_path, session_timeout_ms=SESSION_MS) as worker:
        stream.await_commits()
        committed = stream.committed()
        admin.delete_topics([ledger])[ledger].result()
        stream.produce(queries(50))
        assert worker.exit_code(30) != 0
    assert stream.committed() == committed

    create_topics(Connection.plaintext(broker.bootstrap_servers), {ledger: {}}, 4, 1)
    with run_worker(stream, tmp_path, session_timeout_ms=SESSION_MS) as worker:
        stream.await_commits()
        worker.stop()
    assert stream.ledger_count() == 50


def committed_at(committed: dict[int, int], message: Message) -> int:
    partition: Any = message.partition()
    return committed.get(partition, 0)


def offset_of(message: Message) -> int:
    offset: Any = message.offset()
    return int(offset)


def test_a_worker_is_not_ready_while_kafka_is_silent(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker:
        stream = fresh_stream(broker.bootstrap_servers, "silent", partitions=1)
        with run_worker(stream, tmp_path) as worker:
            wait_for(lambda: worker.readiness()[0] == 200, 60, "the worker is not ready")
            broker._process.send_signal(signal.SIGSTOP)
            try:
                wait_for(lambda: "Kafka has not answered" in worker.readiness()[1], 30, "it does not notice")
                assert worker.readiness()[0] == 503
            finally:
                broker._process.send_signal(signal.SIGCONT)
            wait_for(lambda: worker.readiness()[0] == 200, 60, "it does not recover")
            worker.stop()
