"""The examples for Kafka, with a real broker and a real worker: they validate, continue the trace, and deduplicate."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.brokers import Broker
from tests.support.kafka_client import Record, committed_offsets, end_offsets, produce_all
from tests.support.node import node_modules
from tests.support.worker_process import Stream, fresh_stream, run_worker, wait_for

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The TypeScript example beside its packages, as `npm ci` leaves it."""
    root = tmp_path_factory.mktemp("checkout")
    folder = root / "examples" / "typescript"
    folder.mkdir(parents=True)
    for file in (EXAMPLES / "typescript").glob("*.*"):
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "node_modules").symlink_to(node_modules(EXAMPLES / "typescript"))
    (root / "schemas").symlink_to(ROOT / "schemas")
    return folder


def commands(language: str, request: pytest.FixtureRequest, folder: Path) -> tuple[list[str], list[str]]:
    """How the producer and the consumer are started."""
    if language == "python":
        database = str(folder / "searches.db")
        return (
            [sys.executable, str(EXAMPLES / "producer.py")],
            [sys.executable, str(EXAMPLES / "consumer.py"), database],
        )
    typescript: Path = request.getfixturevalue("typescript")
    tsx = str(typescript / "node_modules" / ".bin" / "tsx")
    return [tsx, str(typescript / "producer.ts")], [tsx, str(typescript / "consumer.ts")]


def produce(command: list[str], stream: Stream, *queries: str) -> list[str]:
    """Publish queries with the example; returns their trace ids."""
    done = subprocess.run(
        [*command, *queries],
        env={**os.environ, **stream.environment},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@contextmanager
def consuming(command: list[str], stream: Stream, output: Path) -> Iterator[Path]:
    """The example's consumer at work, which writes to `output`; at the end it leaves its group, as after Ctrl-C."""
    with output.open("w") as file:
        process = subprocess.Popen(command, env={**os.environ, **stream.environment}, stdout=file, stderr=file)
    try:
        yield output
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        finally:
            process.kill()


def await_lines(output: Path, expected: Sequence[str]) -> None:
    wait_for(lambda: len(output.read_text().splitlines()) >= len(expected), 60, f"only:\n{output.read_text()}")
    assert sorted(output.read_text().splitlines()) == sorted(expected)


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_a_producer_and_a_consumer_share_a_trace_and_see_each_event_once(
    language: str, request: pytest.FixtureRequest, broker: Broker, tmp_path: Path
) -> None:
    stream = fresh_stream(broker.bootstrap_servers, f"example-{language}", partitions=1)
    producer, consumer = commands(language, request, tmp_path)
    with run_worker(stream, tmp_path):
        first = produce(producer, stream, "wireless headphons", "how to forge a passport")
        stream.await_commits()
        with consuming(consumer, stream, tmp_path / "first") as output:
            await_lines(output, [f"{first[0]}  wireless headphones"])
            # A redelivery: the same event in another record. Then a new one.
            [recall] = [output for output in stream.outputs() if output.name == "recall"]
            again: Record = (None, recall.value, [])
            produce_all(stream.bootstrap_servers, stream.topics["recall"], [again])
            second = produce(producer, stream, "runing shoes")
            await_lines(output, [f"{first[0]}  wireless headphones", f"{second[0]}  running shoes"])
    if language == "python":
        with consuming(consumer, stream, tmp_path / "again") as output:  # what was not committed comes again
            produce_all(stream.bootstrap_servers, stream.topics["recall"], [again])
            group = f"the offset of {stream.topics['recall']} is not committed"
            wait_for(lambda: _committed_all(stream), 60, group)
            assert output.read_text() == ""
        searches = sqlite3.connect(tmp_path / "searches.db").execute("SELECT count(*) FROM searches").fetchone()
        assert searches == (2,)


def _committed_all(stream: Stream) -> bool:
    topic = stream.topics["recall"]
    return committed_offsets(stream.bootstrap_servers, "recall-example", topic) == end_offsets(
        stream.bootstrap_servers, topic
    )


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_a_query_that_breaks_the_contract_is_not_published(
    language: str, request: pytest.FixtureRequest, embedded_broker: Broker, tmp_path: Path
) -> None:
    stream = fresh_stream(embedded_broker.bootstrap_servers, f"example-{language}", partitions=1)
    producer, _ = commands(language, request, tmp_path)
    environment = {**os.environ, **stream.environment}
    refused = subprocess.run([*producer, ""], env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert refused.returncode != 0
    assert "query" in refused.stderr
    assert stream.ends() == {}
