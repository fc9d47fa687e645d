"""`sluice replay` on a real broker: what it publishes, byte for byte, and what it says when it cannot."""

import base64
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from confluent_kafka import Message, TopicPartition
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from sluicegate.agents.cli.app import app
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.record_log import RecordLog, position_of
from sluicegate.agents.local.embedded_broker import EmbeddedBroker
from sluicegate.schemas.codec import encode, value_hash
from sluicegate.schemas.events import DeadLetter, LedgerRecord, Position, StageLatencies, Tokens
from tests.support.accounts import assert_accounted_for, assert_contracts_hold
from tests.support.brokers import Broker, TopicMaker
from tests.support.command import NOBODY, sluice
from tests.support.compiled import compiled_script, compiled_tiny, edit_manifest
from tests.support.kafka_client import Record, produce_all
from tests.support.kafka_cluster import available
from tests.support.worker_process import Output, Stream, fresh_stream, make_stream, run_worker, wait_for

POISON: Sequence[Record] = [
    (None, b"\xff\xfe\x00broken", [("kind", b"poison"), ("kind", None), ("raw", b"\x00\xff")]),
    (b"key", None, []),
    (b"", b'{"query": 7, "event_id": "seven"}', [("traceparent", b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01")]),
]


# A broker of one kind, the real one where it can be had: what differs between them is tested elsewhere.
on_one_kind = pytest.mark.parametrize("broker", ["embedded" if available() else "apache"], indirect=True)


@pytest.fixture
def stream(broker: Broker, topics: TopicMaker) -> Stream:
    return make_stream(broker, topics)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_tiny(tmp_path_factory.mktemp("models") / "tiny", "embedded")


def replay(stream: Stream, *arguments: str) -> str:
    """What the command printed, once it has succeeded. In this process: a new one takes seconds to start."""
    finished = CliRunner().invoke(app, ["replay", *arguments], env={**stream.environment, "COLUMNS": "200"})
    assert (finished.exit_code, finished.stderr) == (0, ""), finished.exception
    return finished.stdout


def query(number: int, **more: object) -> Record:
    return None, orjson.dumps({"query": f"red shoes size {number}", **more}), []


def position(message: Message) -> str:
    return str(position_of(message))


def original_of(message: Message) -> str | None:
    """What a record says it is a replay of."""
    return {name: (value or b"").decode(errors="replace") for name, value in headers_of(message)}.get("replay_of")


def headers_of(message: Message) -> list[tuple[str, bytes | None]]:
    return list(message.headers() or ())  # type: ignore[arg-type]  # the stubs are wider


def replays(stream: Stream) -> list[Message]:
    return [message for message in stream.inputs() if original_of(message)]


def decide(stream: Stream, folder: Path, **settings: object) -> None:
    """Let a worker decide what waits."""
    with run_worker(stream, folder, **settings) as worker:
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
        *theirs, of, timestamp = headers_of(message)
        assert theirs == headers_of(original)
        assert of == ("replay_of", position(original).encode())
        assert timestamp == ("replay_timestamp", str(original.timestamp()[1]).encode())
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
def test_a_bad_model_is_rolled_back_and_its_decisions_are_made_anew(stream: Stream, tmp_path: Path) -> None:
    def models(command: str, *arguments: str | Path) -> None:
        finished = sluice("models", command, *arguments, "--registry", tmp_path / "registry")
        assert finished.returncode == 0, finished.stderr

    good, bad = compiled_tiny(tmp_path / "good", "embedded"), compiled_script(tmp_path / "bad", {})
    edit_manifest(good, name="good")
    edit_manifest(bad, name="bad")
    models("use", good)
    with run_worker(stream, tmp_path, model=tmp_path / "registry") as worker:
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


def entry(number: int, source: Message | Position, **more: Any) -> bytes:
    """A ledger record that says: event `number` was decided from `source`."""
    if not isinstance(source, Position):
        source = position_of(source)
    at = datetime.now(UTC)
    record = LedgerRecord(
        event_id=f"event-{number}",
        event_time=at,
        processing_time=at,
        model_version="m@1",
        prompt_version="p",
        source=source,
        outcome="blocked",
        outputs=[],
        trace_id="0" * 32,
        labels_version="l",
        prompt_hash=None,
        output_hash=None,
        tokens=Tokens(input=0, output=0),
        latency_ms=StageLatencies(total=1),
        decision=None,
        validation="valid",
    )
    return encode(msgspec.structs.replace(record, **more))


def anew(replayed: Message) -> bytes:
    """A ledger record that says: the replay was decided."""
    number = int(orjson.loads(replayed.value() or b"")["event_id"][6:])
    return entry(number, replayed, replay_of=original_of(replayed))


def write_ledger(stream: Stream, entries: Sequence[bytes]) -> None:
    """Write into the ledger, each event's records into one partition, as the worker does."""
    keyed: list[Record] = [(orjson.loads(value)["event_id"].encode(), value, []) for value in entries]
    produce_all(stream.bootstrap_servers, stream.topics["ledger"], keyed)


def produced(stream: Stream, count: int) -> list[Message]:
    """`count` inputs, event 0 first."""
    stream.produce([query(number, event_id=f"event-{number}") for number in range(count)])
    return by_id(stream)


def by_id(stream: Stream) -> list[Message]:
    return sorted(stream.inputs(), key=lambda message: int(orjson.loads(message.value() or b"")["event_id"][6:]))


def replayed_ids(stream: Stream) -> list[str]:
    return sorted(orjson.loads(message.value() or b"")["event_id"] for message in replays(stream))


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
    assert [original_of(message) for message in inputs_left(stream)[2:]] == [position(at) for at in inputs[4:]]


def inputs_left(stream: Stream) -> list[Message]:
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
        (f"{raw}:0", "is no range"),
        (f"{stream.topics['ledger']}:0:0-1", "holds no raw queries"),
        (f"{raw}:0:5-3", "ends before it begins"),
        (f"{raw}:1:0-3", "has the partitions 0"),
        (f"{raw}:0:500-600", "holds the offsets 0 to 14"),
    ):
        finished = CliRunner().invoke(app, ["replay", "range", wrong], env={**stream.environment, "COLUMNS": "200"})
        assert (finished.exit_code, finished.stdout) == (2, "")
        assert said in finished.stderr


@on_one_kind
def test_the_rate_is_kept(stream: Stream) -> None:
    write_ledger(stream, [entry(number, message) for number, message in enumerate(produced(stream, 30))])
    started = time.monotonic()
    assert replay(stream, "ledger", "--rate", "20") == "30 of 30 replayed\n"
    assert time.monotonic() - started > 29 / 20
    times = sorted(message.timestamp()[1] for message in replays(stream))
    assert times[-1] - times[0] > 1000


def start_slowly(stream: Stream, count: int) -> "subprocess.Popen[bytes]":
    """A replay of `count` events, 20 a second."""
    write_ledger(stream, [entry(number, message) for number, message in enumerate(produced(stream, count))])
    return subprocess.Popen(
        [sys.executable, "-m", "sluicegate", "replay", "ledger", "--rate", "20"],
        env={**os.environ, **stream.environment, "SLUICE_PUBLISH_TIMEOUT_MS": "1000"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@on_one_kind
@pytest.mark.parametrize(("ended_by", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_says_how_to_go_on(stream: Stream, ended_by: signal.Signals, exit_code: int) -> None:
    with start_slowly(stream, 100) as process:
        try:
            wait_for(lambda: len(replays(stream)) > 25, 30, "nothing is replayed")
            process.send_signal(ended_by)
            said, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == exit_code
    told = re.fullmatch(r"(\d+) of 100 replayed; go on with --since (\S+) --until (\S+)\n", said.decode())
    assert told
    sent = replayed_ids(stream)
    assert len(sent) == int(told[1])
    assert 25 < len(sent) < 100
    write_ledger(stream, [anew(message) for message in replays(stream)])
    replay(stream, "ledger", "--since", told[2], "--until", told[3], "--rate", "0")
    assert sorted(replayed_ids(stream)) == sorted(f"event-{number}" for number in range(100))


@on_one_kind
def test_a_record_that_is_too_large_now_is_told_and_holds_up_nothing(broker: Broker, topics: TopicMaker) -> None:
    if broker.kind == "embedded":
        pytest.skip("the embedded broker takes any size")
    stream = make_stream(broker, topics, configs={"raw": {"max.message.bytes": "2000"}})
    padding = base64.b64encode(os.urandom(1380)).decode()  # which no codec makes smaller
    for number, more in enumerate(({}, {"padding": padding}, {})):
        _, value, headers = query(number, event_id=f"event-{number}", **more)
        stream.produce([(f"event-{number}".encode(), value, headers)])  # each into a partition, and a batch, of its own
    write_ledger(stream, [entry(number, message) for number, message in enumerate(by_id(stream))])
    finished = sluice("replay", "ledger", environment=stream.environment)
    assert finished.stdout == b"2 of 3 replayed; 1 too large\n"
    assert finished.returncode == 65
    assert b"max.message.bytes" in finished.stderr
    assert replayed_ids(stream) == ["event-0", "event-2"]


def test_a_broker_that_goes_away_ends_it_with_how_to_go_on() -> None:
    with EmbeddedBroker() as broker:
        stream = fresh_stream(broker.bootstrap_servers, "away", partitions=1)
        process = start_slowly(stream, 100)
        wait_for(lambda: len(replays(stream)) > 25, 30, "nothing is replayed")
    with process:
        said, error = process.communicate(timeout=60)
    assert process.returncode == 69
    assert re.fullmatch(r"\d+ of 100 replayed; go on with --since \S+ --until \S+\n", said.decode())
    assert error.startswith(b"sluice: cannot ")
    assert error.count(b"\n") == 1


def test_without_a_broker_it_is_refused_in_one_line() -> None:
    finished = sluice("replay", "ledger", environment=NOBODY)
    assert (finished.returncode, finished.stdout) == (69, b"")
    assert finished.stderr.startswith(b"sluice: cannot reach Kafka at 127.0.0.1:1")
    assert finished.stderr.count(b"\n") == 1
