"""How `sluice replay` ends: at its rate, by a signal, at a record that is too large, without its broker."""

import base64
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from sluicegate.agents.local.embedded_broker import EmbeddedBroker
from tests.support.brokers import Broker, TopicMaker
from tests.support.command import NOBODY, sluice
from tests.support.replays import (
    anew,
    by_id,
    entry,
    on_one_kind,
    produced,
    query,
    replay,
    replayed_ids,
    replays,
    write_ledger,
)
from tests.support.worker_process import Stream, fresh_stream, make_stream, wait_for


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
def test_an_interrupted_replay_says_how_to_continue(stream: Stream, ended_by: signal.Signals, exit_code: int) -> None:
    with start_slowly(stream, 100) as process:
        try:
            wait_for(lambda: len(replays(stream)) > 25, 30, "nothing is replayed")
            process.send_signal(ended_by)
            said, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == exit_code
    told = re.fullmatch(r"(\d+) of 100 replayed; continue with --since (\S+) --until (\S+)\n", said.decode())
    assert told
    sent = replayed_ids(stream)
    assert len(sent) == int(told[1])
    assert 25 < len(sent) < 100
    write_ledger(stream, [anew(message) for message in replays(stream)])
    replay(stream, "ledger", "--since", told[2], "--until", told[3], "--rate", "0")
    assert sorted(replayed_ids(stream)) == sorted(f"event-{number}" for number in range(100))


@on_one_kind
def test_a_record_that_is_too_large_now_is_reported_and_others_are_replayed(broker: Broker, topics: TopicMaker) -> None:
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


def test_losing_the_broker_ends_a_replay_with_how_to_continue() -> None:
    with EmbeddedBroker() as broker:
        stream = fresh_stream(broker.bootstrap_servers, "away", partitions=1)
        process = start_slowly(stream, 100)
        wait_for(lambda: len(replays(stream)) > 25, 30, "nothing is replayed")
    with process:
        said, error = process.communicate(timeout=60)
    assert process.returncode == 69
    assert re.fullmatch(r"\d+ of 100 replayed; continue with --since \S+ --until \S+\n", said.decode())
    assert error.startswith(b"sluice: cannot ")
    assert error.count(b"\n") == 1


def test_without_a_broker_it_is_refused_in_one_line() -> None:
    finished = sluice("replay", "ledger", environment=NOBODY)
    assert (finished.returncode, finished.stdout) == (69, b"")
    assert finished.stderr.startswith(b"sluice: cannot reach Kafka at 127.0.0.1:1")
    assert finished.stderr.count(b"\n") == 1
