"""`sluice spool`: what waited on disk reaches the broker, whatever is killed on the way."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Message

from sluicegate.agents.settings import load_settings
from sluicegate.agents.spool import Spool, SpoolRecord
from sluicegate.agents.spool.reading import read_statistics
from sluicegate.agents.spool.syncing import WINDOW
from tests.support.brokers import Broker, TopicMaker
from tests.support.command import NOBODY, rows, sluice
from tests.support.kafka_client import consume_all

HOUR = 3600
"""Records of an hour at an edge device with one query a second."""

DEVICE = """
import sys
from pathlib import Path
from sluicegate.agents.settings import load_settings
from sluicegate.agents.spool import GroupCommit, Spool, SpoolRecord
path, topic, start, stop = sys.argv[1:]
commits = GroupCommit(Spool.open(load_settings(), Path(path)))
for number in range(int(start), int(stop)):
    key = f"event-{number}"
    commits.add(SpoolRecord(topic, key, b'{"event_id": "%s"}' % key.encode() + b" " * 600, key.encode())).result()
    print(number, flush=True)
commits.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "device.spool"


def fill(path: Path, records: Sequence[SpoolRecord]) -> None:
    with Spool.open(load_settings(), path) as spool:
        spool.add(records)


def simple(topic: str, count: int) -> list[SpoolRecord]:
    return [SpoolRecord(topic, f"event-{n}", b"value %d" % n, b"key-%d" % (n % 7)) for n in range(count)]


def id_of(message: Message) -> str:
    headers: list[tuple[str, bytes]] = list(message.headers() or [])  # type: ignore[arg-type]  # the stubs are wider
    return dict(headers)["event_id"].decode()


def published(broker: Broker, topic: str, done: Callable[[set[str]], bool]) -> list[Message]:
    return consume_all(broker.bootstrap_servers, [topic], lambda found: done({id_of(message) for message in found}))


def sync(broker: Broker, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sluicegate", "spool", "sync", path, "--brokers", broker.bootstrap_servers],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_fewer(path: Path, left: int, process: subprocess.Popen[str]) -> None:
    """Wait until fewer than `left` records are left, or the process has ended."""
    deadline = time.monotonic() + 60
    while read_statistics(path).records >= left and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_an_hour_without_a_broker_and_eight_kills_lose_nothing_and_double_nothing_by_id(
    broker: Broker, topics: TopicMaker, path: Path
) -> None:
    topic = topics("ledger")
    told = -1
    for stop in (700, 1400, 2100, 2800, 3500):
        with subprocess.Popen(
            [sys.executable, "-c", DEVICE, path, topic, str(told + 1), str(HOUR)], stdout=subprocess.PIPE, text=True
        ) as device:
            assert device.stdout
            while told < stop:
                told = int(device.stdout.readline())
            device.kill()
            told = max([told, *map(int, device.stdout)])
    subprocess.run(
        [sys.executable, "-c", DEVICE, path, topic, str(told + 1), str(HOUR)], stdout=subprocess.DEVNULL, check=True
    )
    assert read_statistics(path).records == HOUR

    for left in (3000, 2000, 1000):
        with sync(broker, path) as publishing:
            wait_until_fewer(path, left, publishing)
            publishing.kill()
    with sync(broker, path) as publishing:
        said, error = publishing.communicate(timeout=60)
    assert (publishing.returncode, error) == (0, "")
    assert said.endswith("; 0 left\n")

    wanted = {f"event-{number}" for number in range(HOUR)}
    messages = published(broker, topic, lambda found: found == wanted)
    copies = Counter(id_of(message) for message in messages)
    assert set(copies) == wanted
    assert copies.total() - HOUR <= 3 * WINDOW, "more copies than can be on their way when sync is killed"
    assert all(orjson.loads(message.value() or b"")["event_id"] == id_of(message) for message in messages)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sync_that_is_stopped_by_a_signal_doubles_nothing(
    broker: Broker, topics: TopicMaker, path: Path, number: signal.Signals
) -> None:
    topic = topics("ledger")
    fill(path, simple(topic, 20_000))
    with sync(broker, path) as publishing:
        wait_until_fewer(path, 19_000, publishing)
        publishing.send_signal(number)
        said, _ = publishing.communicate(timeout=60)
    assert publishing.returncode == 128 + number
    left = read_statistics(path).records
    assert f"{20_000 - left} published; {left} left" in said
    assert left > 0
    with sync(broker, path) as publishing:
        said, _ = publishing.communicate(timeout=60)
    assert said == f"{left} published; 0 left\n"
    messages = published(broker, topic, lambda found: len(found) == 20_000)
    assert len(messages) == 20_000


def test_records_arrive_as_they_were_with_their_id_and_in_their_order(
    broker: Broker, topics: TopicMaker, path: Path
) -> None:
    topic = topics("ledger", partitions=1)
    headers = (("traceparent", b"00-a-b-01"), ("none", None))
    fill(path, [SpoolRecord(topic, f"event-{n}", b"\xff%d" % n, b"k", headers) for n in range(1000)])
    finished = sluice("spool", "sync", path, environment={"SLUICE_BOOTSTRAP_SERVERS": broker.bootstrap_servers})
    assert (finished.returncode, finished.stdout) == (0, b"1000 published; 0 left\n")
    messages = published(broker, topic, lambda found: len(found) == 1000)
    assert [message.value() for message in messages] == [b"\xff%d" % n for n in range(1000)]
    assert messages[7].headers() == [*headers, ("event_id", b"event-7")]
    assert messages[7].key() == b"k"


def test_a_record_that_is_too_large_stays_and_the_others_are_published(
    broker: Broker, topics: TopicMaker, path: Path
) -> None:
    topic = topics("ledger", partitions=1, config={"max.message.bytes": "2000"})
    records = simple(topic, 3)
    fill(path, [records[0], SpoolRecord(topic, "large", os.urandom(5000)), *records[1:]])
    for published_now in (3, 0):
        finished = sluice("spool", "sync", path, environment={"SLUICE_BOOTSTRAP_SERVERS": broker.bootstrap_servers})
        assert finished.returncode == 65
        assert finished.stdout.decode() == f"{published_now} published; 1 left\n"
        assert b"1 records are too large and 0 are damaged: they stay" in finished.stderr
    assert [message.value() for message in published(broker, topic, lambda found: len(found) == 3)] == [
        b"value 0",
        b"value 1",
        b"value 2",
    ]


def test_without_a_broker_sync_ends_in_one_line_and_keeps_everything(path: Path) -> None:
    fill(path, simple("queries.ledger", 10))
    finished = sluice("spool", "sync", path, environment=NOBODY)
    assert finished.returncode == 69
    assert len(finished.stderr.decode().splitlines()) == 1
    assert read_statistics(path).records == 10


def test_a_missing_topic_is_named(apache_broker: Broker, path: Path) -> None:
    fill(path, simple("never-made", 1))
    finished = sluice("spool", "sync", path, environment={"SLUICE_BOOTSTRAP_SERVERS": apache_broker.bootstrap_servers})
    assert finished.returncode == 78
    assert b"never-made" in finished.stderr


def test_list_export_and_verify_tell_what_waits(path: Path) -> None:
    hostile, binary = SpoolRecord("raw", "\x9b\u202e", b'{"query":\n"red"}'), SpoolRecord("raw", "b", b"\xff")
    fill(path, [*simple("ledger", 2), hostile, binary])
    listed = orjson.loads(sluice("spool", "list", path, "--json").stdout)
    assert (listed["records"], listed["dropped"]) == (4, 0)
    assert [(topic["topic"], topic["records"]) for topic in listed["topics"]] == [("ledger", 2), ("raw", 2)]
    shown = sluice("spool", "list", environment={"SLUICE_SPOOL": str(path)}).stdout.decode()
    assert "ledger" in shown
    assert "0 were dropped to make room" in shown
    exported = sluice("spool", "export", path)
    assert b"\x9b" not in exported.stdout  # a terminal would obey it
    first, _, third, fourth = rows(exported)
    assert (first["topic"], first["id"], first["key"], first["value"]) == ("ledger", "event-0", "key-0", "value 0")
    assert (third["id"], third["value"]) == ("\x9b\u202e", {"query": "red"})
    assert fourth["value_base64"] == "/w=="
    verified = sluice("spool", "verify", path)
    assert (verified.returncode, verified.stdout.decode()) == (0, f"{path}: 4 records, nothing is wrong\n")

    content = path.read_bytes()
    path.write_bytes(content.replace(b"value 1", b"value 9"))
    damaged = sluice("spool", "verify", path)
    assert damaged.returncode == 65
    assert b"record 2 is damaged" in damaged.stdout
    assert len(damaged.stderr.decode().splitlines()) == 1
    assert len(rows(sluice("spool", "export", path))) == 3
