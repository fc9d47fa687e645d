"""Only `sluice replay` with the workers' key can publish under the id of another event."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Message

from sluicegate.schemas.headers import replay_headers
from tests.support.brokers import Broker, TopicMaker
from tests.support.command import sluice
from tests.support.compiled import compiled_tiny
from tests.support.kafka_cluster import available
from tests.support.worker_process import Output, Stream, make_stream, run_worker

KEY = "correct-horse-battery"
on_one_kind = pytest.mark.parametrize("broker", ["embedded" if available() else "apache"], indirect=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_tiny(tmp_path_factory.mktemp("models") / "tiny", "embedded")


@pytest.fixture
def stream(broker: Broker, topics: TopicMaker, tmp_path: Path) -> Stream:
    return make_stream(broker, topics, partitions=1)


def decided(stream: Stream, folder: Path, **settings: object) -> list[Output]:
    with run_worker(stream, folder, **settings) as worker:
        stream.await_commits()
        worker.stop()
    return stream.outputs()


def ledgers(outputs: list[Output]) -> dict[int, dict[str, Any]]:
    """The ledger records, by the offset of their input."""
    return {output.event["source"]["offset"]: output.event for output in outputs if output.name == "ledger"}


def ids_at(outputs: list[Output], offset: int) -> set[str]:
    """The ids of what was published for the input at `offset`, on every topic."""
    ledger = ledgers(outputs)[offset]
    places = {(at["topic"], at["partition"], at["offset"]) for at in ledger["outputs"]}
    found = {output.event_id for output in outputs if output.at in places}
    return {*found, ledger["event_id"]}


def forged(stream: Stream, secret: bytes | None = None) -> list[tuple[str, bytes | None]]:
    at = f"{stream.topics['raw']}-0-0"
    return replay_headers(at, datetime.now(UTC), key=None, value=b"", secret=secret)


@on_one_kind
def test_a_forged_replay_gets_an_id_of_its_own_and_hides_nothing(stream: Stream, tmp_path: Path, model: Path) -> None:
    stream.produce([(None, b'{"query": "red shoes"}', []), (None, b'{"query": "forged"}', forged(stream))])
    stream.produce([(None, b'{"query": "signed by others"}', forged(stream, b"the secret of others"))])
    outputs = decided(stream, tmp_path, model=model, replay_key=KEY)
    for offset in range(3):
        assert ids_at(outputs, offset) == {f"{stream.topics['raw']}-0-{offset}"}
    for offset in (1, 2):
        ledger = ledgers(outputs)[offset]
        assert ledger["replay_of"] is None
        assert "replay_unproven" in ledger["decision"]["reason_codes"]
    assert all("replay_of" not in output.headers for output in outputs)

    environment = {**stream.environment, "SLUICE_REPLAY_KEY": KEY}
    finished = sluice("replay", "range", f"{stream.topics['raw']}:0:0-2", environment=environment)
    assert finished.stdout == b"3 of 3 replayed\n"
    originals = [headers(message)["replay_of"] for message in stream.inputs()[3:]]
    assert originals == [f"{stream.topics['raw']}-0-{offset}".encode() for offset in range(3)]


@on_one_kind
def test_without_a_key_replay_works_and_gives_no_id_of_another_event(
    stream: Stream, tmp_path: Path, model: Path
) -> None:
    raw = stream.topics["raw"]
    stream.produce([(None, b'{"query": "red shoes"}', []), (None, b'{"query": "hat", "event_id": "mine"}', [])])
    stream.produce([(None, b'{"query": "forged"}', forged(stream))])
    outputs = decided(stream, tmp_path, model=model)
    assert ids_at(outputs, 2) == {f"{raw}-0-2"}

    version = ledgers(outputs)[0]["model_version"]
    finished = sluice("replay", "ledger", "--model-version", version, environment=stream.environment)
    assert finished.stdout == b"3 of 3 replayed\n", "the forged record hides its alleged original"
    assert b"2 have no event_id and get a new one" in finished.stderr

    outputs = decided(stream, tmp_path, model=model)
    after = ledgers(outputs)
    replays = {after[offset]["replay_of"]: offset for offset in (3, 4, 5)}
    assert set(replays) == {f"{raw}-0-{offset}" for offset in range(3)}
    assert ids_at(outputs, replays[f"{raw}-0-1"]) == {"mine"}
    assert ids_at(outputs, replays[f"{raw}-0-0"]) == {f"{raw}-0-{replays[f'{raw}-0-0']}"}

    finished = sluice("replay", "ledger", "--until", "2000-01-01", environment=stream.environment)
    assert finished.stdout == b"0 of 0 replayed\n"
    finished = sluice("replay", "ledger", environment=stream.environment)
    assert finished.stdout == b"3 of 3 replayed\n", "an event and its replays are one event"


def headers(message: Message) -> dict[str, bytes]:
    pairs: Any = message.headers() or ()
    return dict(pairs)


def test_the_replay_key_is_a_secret(tmp_path: Path) -> None:
    shown = sluice("config", "show", environment={"SLUICE_REPLAY_KEY": KEY, "COLUMNS": "200"})
    assert shown.returncode == 0
    assert KEY.encode() not in shown.stdout
    short = tmp_path / "key"
    short.write_text("short\n")
    for name, value in (("SLUICE_REPLAY_KEY", "short"), ("SLUICE_REPLAY_KEY_FILE", str(short))):
        refused = sluice("config", "show", environment={name: value})
        assert refused.returncode == 78
        assert refused.stderr.startswith(b"sluice: wrong configuration: ")
        assert refused.stderr.count(b"\n") == 1
        assert orjson.dumps("short") not in refused.stderr
