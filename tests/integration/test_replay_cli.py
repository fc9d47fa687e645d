"""`sluice replay` on a real broker: what it publishes, byte for byte, and what it says when it cannot."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from sluicegate.agents.cli.app import app
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.record import Record as ReadRecord
from sluicegate.agents.kafka.record_log import RecordLog
from sluicegate.schemas.codec import encode, value_hash
from sluicegate.schemas.events import DeadLetter, Position
from sluicegate.schemas.headers import replay_of
from tests.support.accounts import assert_accounted_for, assert_contracts_hold
from tests.support.brokers import Broker, TopicMaker
from tests.support.command import sluice
from tests.support.compiled import compiled_script, compiled_tiny, edit_manifest
from tests.support.kafka_client import Record, produce_all
from tests.support.replays import (
    KEY,
    entry,
    headers_of,
    on_one_kind,
    original_of,
    position,
    position_of,
    produced,
    query,
    replay,
    replayed_ids,
    replays,
    write_ledger,
)
from tests.support.worker_process import Output, Stream, make_stream, run_worker, wait_for

POISON: Sequence[Record] = [
    (None, b"\xff\xfe\x00broken", [("kind", b"poison"), ("kind", None), ("raw", b"\x00\xff")]),
    (b"key", None, []),
    (b"", b'{"query": 7, "event_id": "seven"}', [("traceparent", b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01")]),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_tiny(tmp_path_factory.mktemp("models") / "tiny", "embedded")


def decide(stream: Stream, folder: Path, **settings: object) -> None:
    """Let a worker decide what waits."""
    with run_worker(stream, folder, **{"replay_key": KEY, **settings}) as worker:
        stream.await_commits()
        worker.stop()


def ledgers(outputs: Sequence[Output]) -> list[dict[str, Any]]:
    return [output.event for output in outputs if output.name == "ledger"]


@on_one_kind
def test_dead_letters_are_published_again_byte_for_byte(stream: Stream, tmp_path: Path, model: Path) -> None:
    stream.produce([*POISON, query(1)])
    decide(stream, tmp_path, model=model)
    originals = {position(message): message for message in stream.inputs()}

    told = replay(stream, "deadletters", "--dry-run")
    assert f"3 would be replayed to {stream.topics['raw']}" in told
    assert re.search(r"ContractError .* 3 ", told)
    assert "seven" in told
    assert len(stream.inputs()) == len(originals)

    assert replay(stream, "deadletters") == "3 of 3 replayed\n"
    published = replays(stream)
    assert len(published) == len(POISON)
    for message in published:
        original = originals.pop(original_of(message) or "")
        assert (message.key(), message.value()) == (original.key(), original.value())
        *theirs, of, timestamp, signature = headers_of(message)
        assert theirs == headers_of(original)
        assert of == ("replay_of", position(original).encode())
        assert timestamp == ("replay_timestamp", str(original.timestamp()[1]).encode())
        assert signature[0] == "replay_signature"
    assert [message.value() for message in originals.values()] == [query(1)[1]]

    decide(stream, tmp_path, model=model)
    letters = [output for output in stream.outputs() if output.name == "deadletter"]
    first, second = (
        {
            letter.event_id: letter.event["event_time"]
            for letter in letters
            if ("replay_of" in letter.headers) == replayed
        }
        for replayed in (False, True)
    )
    assert len(first) == len(POISON)
    assert first == second
    assert replay(stream, "deadletters") == "3 of 3 replayed\n"
    assert {original_of(message) for message in replays(stream)} == {original_of(message) for message in published}


@on_one_kind
def test_a_bad_model_is_rolled_back_and_its_events_are_decided_again(stream: Stream, tmp_path: Path) -> None:
    def models(command: str, *arguments: str | Path) -> None:
        finished = sluice("models", command, *arguments, "--registry", tmp_path / "registry")
        assert finished.returncode == 0, finished.stderr

    good, bad = compiled_tiny(tmp_path / "good", "embedded"), compiled_script(tmp_path / "bad", {})
    edit_manifest(good, name="good")
    edit_manifest(bad, name="bad")
    models("use", good)
    with run_worker(stream, tmp_path, model=tmp_path / "registry", replay_key=KEY) as worker:
        stream.produce([query(number) for number in range(20)])
        stream.await_commits()
        models("use", bad)
        wait_for(lambda: "serving bad@" in worker.log, 30, "the worker does not take the bad model")
        stream.produce([query(number, event_id=f"event-{number}") for number in range(20, 30)])
        stream.produce([query(number) for number in range(30, 50)])
        stream.await_commits()
        decided = ledgers(stream.outputs())
        mistaken = {ledger["event_id"]: ledger for ledger in decided if ledger["model_version"].startswith("bad@")}
        assert len(mistaken) == 30
        version = next(iter(mistaken.values()))["model_version"]

        models("rollback")
        wait_for(lambda: worker.log.count("serving good@") == 1, 30, "the worker does not go back")
        told = replay(stream, "ledger", "--model-version", version, "--dry-run")
        assert f"30 would be replayed to {stream.topics['raw']}" in told
        assert version in told
        assert "red shoes" not in told
        assert replay(stream, "ledger", "--model-version", version) == "30 of 30 replayed\n"
        stream.await_commits()
        worker.stop()

    inputs, outputs = stream.inputs(), stream.outputs()
    assert_accounted_for(inputs, outputs)
    assert_contracts_hold(outputs)
    anew = [ledger for ledger in ledgers(outputs) if ledger["replay_of"]]
    assert len(anew) == len(mistaken)
    for ledger in anew:
        before = mistaken.pop(ledger["event_id"])
        assert ledger["model_version"].startswith("good@")
        assert ledger["event_time"] == before["event_time"]
        assert ledger["replay_of"] == "{topic}-{partition}-{offset}".format(**before["source"])
    assert not mistaken
    corrected = [output for output in outputs if "replay_of" in output.headers and output.name != "ledger"]
    assert {output.event_id for output in corrected} == {ledger["event_id"] for ledger in anew}
    assert all(output.event["model_version"].startswith("good@") for output in corrected)

    assert replay(stream, "ledger", "--model-version", version) == "0 of 0 replayed\n"
    assert len(stream.inputs()) == len(inputs)


@on_one_kind
def test_what_the_ledger_names_twice_is_replayed_once_and_what_is_gone_is_counted(stream: Stream) -> None:
    inputs = produced(stream, 6)
    stream.produce([(None, inputs[4].value(), [])])  # a producer's retry: the same id and bytes at another offset
    retry = next(
        message for message in stream.inputs() if position(message) not in {position(message) for message in inputs}
    )
    beyond = Position(topic=stream.topics["raw"], partition=0, offset=10_000)
    elsewhere = Position(topic="no-such-topic", partition=0, offset=0)
    write_ledger(
        stream,
        [
            entry(0, inputs[0]),
            entry(0, inputs[0]),
            entry(1, inputs[1], shadow=True),
            entry(2, inputs[2]),
            entry(2, retry, model_version="m@2", replay_of=position(inputs[2])),
            entry(1, inputs[1], input_hash=value_hash(b"the bytes of a topic that was deleted")),
            entry(3, inputs[5]),  # another event's record lies there
            entry(4, inputs[4], input_hash=value_hash(inputs[4].value())),
            entry(4, retry, input_hash=value_hash(retry.value())),
            entry(7, beyond),
            entry(8, elsewhere),
        ],
    )
    told = replay(stream, "ledger", "--model-version", "m@1")
    assert told == "2 of 6 replayed; 4 no longer in Kafka\n"
    assert replayed_ids(stream) == ["event-0", "event-4"]
    write_ledger(stream, [entry(4, inputs[4], input_hash=value_hash(inputs[4].value()), model_version="m@2")])
    assert "4 would be replayed" not in replay(stream, "ledger", "--model-version", "m@1", "--dry-run")


@on_one_kind
def test_what_retention_has_deleted_is_counted(broker: Broker, topics: TopicMaker) -> None:
    if broker.kind == "embedded":
        pytest.skip("the embedded broker deletes no records")
    stream = make_stream(broker, topics, partitions=1)
    inputs = produced(stream, 6)
    write_ledger(stream, [entry(number, message) for number, message in enumerate(inputs)])
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    for deleted in admin.delete_records([TopicPartition(stream.topics["raw"], 0, 4)]).values():
        deleted.result()
    dry = replay(stream, "ledger", "--dry-run").splitlines()[-1]
    assert dry == f"2 would be replayed to {stream.topics['raw']}; 4 no longer in Kafka"
    assert replay(stream, "ledger") == "2 of 6 replayed; 4 no longer in Kafka\n"
    assert [replay_of(record.headers) for record in inputs_left(stream)[2:]] == [position(at) for at in inputs[4:]]


def inputs_left(stream: Stream) -> list[ReadRecord]:
    """The input records that have not been deleted, of a stream with one partition."""
    with RecordLog(Connection.plaintext(stream.bootstrap_servers)) as log:
        return list(log.read(log.spans(stream.topics["raw"], None)))


@on_one_kind
def test_a_dead_letter_without_its_value_is_replayed_from_where_it_points(stream: Stream) -> None:
    (message,) = produced(stream, 1)
    at = datetime.now(UTC)
    letter = DeadLetter(
        event_id="event-0",
        event_time=at,
        processing_time=at,
        model_version="m@1",
        prompt_version="p",
        error_type="PublishFailed",
        error="too large",
        source=position_of(message),
        key=message.key(),
        value=None,
        headers=[],
        value_omitted=True,
    )
    produce_all(stream.bootstrap_servers, stream.topics["deadletter"], [(None, encode(letter), [])])
    assert replay(stream, "deadletters") == "1 of 1 replayed\n"
    assert [again.value() for again in replays(stream)] == [message.value()]


@on_one_kind
def test_filters_take_what_they_name(stream: Stream) -> None:
    inputs = produced(stream, 5)
    write_ledger(stream, [entry(0, inputs[0]), entry(1, inputs[1])])
    between = datetime.now(UTC) + timedelta(milliseconds=2)  # Kafka's timestamps are whole milliseconds
    wait_for(lambda: datetime.now(UTC) > between, 5, "time stands still")
    write_ledger(
        stream,
        [
            entry(2, inputs[2], outcome="allowed"),
            entry(3, inputs[3], model_version="m@2"),
            entry(4, inputs[4], outcome="deadletter", validation="EngineFailed: the model is lost"),
        ],
    )
    for options, count in (
        (["--since", between.isoformat()], 3),
        (["--until", between.isoformat()], 2),
        (["--since", "2100-01-01"], 0),
        (["--outcome", "allowed"], 1),
        (["--model-version", "m@2"], 1),
        (["--reason", "EngineFailed"], 1),
        (["--event-id", "event-0", "--event-id", "event-3"], 2),
        (["--until", between.isoformat(), "--event-id", "event-3"], 0),
    ):
        assert f"{count} would be replayed" in replay(stream, "ledger", "--dry-run", *options), options

    options = ["--model-version", "m@2", "--model-version", "m@3", "--reason", "EngineFialed"]
    finished = CliRunner().invoke(app, ["replay", "ledger", "--dry-run", *options], env=stream.environment)
    assert finished.stderr.splitlines() == [
        "sluice: no record has --reason EngineFialed; there is EngineFailed",
        "sluice: no record has --model-version m@3; there is m@1, m@2",
    ]
    reversed_times = ["--since", "2026-01-02", "--until", "2026-01-01"]
    finished = CliRunner().invoke(app, ["replay", "ledger", *reversed_times], env=stream.environment)
    assert finished.exit_code == 2
    assert "--since must be before --until" in finished.stderr


@on_one_kind
def test_a_range_is_replayed_and_names_the_first_record_of_a_chain(broker: Broker, topics: TopicMaker) -> None:
    stream = make_stream(broker, topics, partitions=1)
    produced(stream, 10)
    raw = stream.topics["raw"]
    assert replay(stream, "range", f"{raw}:0:3-5") == "3 of 3 replayed\n"
    assert replayed_ids(stream) == ["event-3", "event-4", "event-5"]
    assert replay(stream, "range", f"{raw}:0:11-11") == "1 of 1 replayed\n"
    assert [original_of(message) for message in replays(stream)][3:] == [f"{raw}-0-4"]
    assert replay(stream, "range", f"{raw}:0:0-99", "--event-id", "event-9") == "1 of 1 replayed\n"
    for wrong, said in (
        (f"{raw}:0", "is not a range"),
        (f"{stream.topics['ledger']}:0:0-1", "no agent reads"),
        (f"{raw}:0:5-3", "ends before it starts"),
        (f"{raw}:1:0-3", "has the partitions 0"),
        (f"{raw}:0:500-600", "holds the offsets 0 to 14"),
    ):
        finished = CliRunner().invoke(app, ["replay", "range", wrong], env={**stream.environment, "COLUMNS": "200"})
        assert (finished.exit_code, finished.stdout) == (2, "")
        assert said in finished.stderr
