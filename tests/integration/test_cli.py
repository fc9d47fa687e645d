"""The other commands as processes: their output, and their one-line errors."""

import json
import os
import re
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest

from sluicegate.agents.kafka.admin import create_topics
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.local.embedded_broker import EmbeddedBroker
from sluicegate.agents.settings import load_settings
from tests.support.brokers import Broker
from tests.support.command import NOBODY, rows, sluice
from tests.support.compiled import compiled_tiny
from tests.support.worker_process import Stream


@pytest.mark.parametrize(
    "arguments",
    [
        ["gate"],
        ["gate", "--csv"],
        ["gate", "--jsonl", "--lines"],
        ["produce"],
        ["produce", "red shoes", " "],
        ["tail", "nothing"],
        ["nothing"],
        ["gate", "--x"],
    ],
)
def test_wrong_usage_is_one_line_that_names_the_help(arguments: list[str]) -> None:
    finished = sluice(*arguments)
    assert finished.returncode == 2
    assert b"--help`" in finished.stderr
    assert finished.stderr.count(b"\n") == 1
    assert finished.stdout == b""


@pytest.mark.parametrize(
    ("arguments", "environment", "exit_code", "named"),
    [
        (["worker"], {"SLUICE_BATCH_SIZE": "0"}, 78, "SLUICE_BATCH_SIZE"),
        (["worker"], {"SLUICE_THRESHOLDS": '{"hate": {"allow": 2}}'}, 78, "SLUICE_THRESHOLDS"),
        (["worker"], {"SLUICE_TOPIC_RECALL": "queries.raw"}, 78, "SLUICE_TOPIC_RAW"),
        (["worker"], NOBODY, 69, "127.0.0.1:1"),
        (["gate", "--model", "/nowhere", "query"], {}, 78, "/nowhere"),
        (["models", "info", "/nowhere"], {}, 78, "/nowhere"),
        (["calibrate", "--model", "/model", "--out", "/nowhere/profile.json"], {}, 74, "/nowhere/profile.json"),
        (["gate", "--jsonl", "/nowhere.jsonl"], {}, 74, "/nowhere.jsonl"),
        (["models", "compile", "/nowhere", "/tmp/never-made"], {}, 78, "/nowhere"),
        (["worker"], {"SLUICE_HTTP_PORT": "0"}, 78, "SLUICE_HTTP_PORT"),
        (["schemas", "export", __file__], {}, 74, __file__),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_work_is_refused_in_one_line(
    arguments: list[str], environment: dict[str, str], exit_code: int, named: str
) -> None:
    finished = sluice(*arguments, environment=environment)
    assert finished.returncode == exit_code
    assert named in finished.stderr.decode()
    assert finished.stderr.startswith(b"sluice: ")
    assert finished.stderr.count(b"\n") == 1
    assert finished.stdout == b""


def test_a_worker_without_a_topic_or_a_model_is_refused_before_it_joins_the_group(
    stream: Stream, tmp_path: Path
) -> None:
    for lacking, exit_code in (
        ({"SLUICE_TOPIC_LEDGER": "never-made"}, 78),
        ({"SLUICE_MODEL": str(tmp_path / "no-model")}, 78),
    ):
        finished = sluice("worker", environment={**stream.environment, **lacking})
        assert finished.returncode == exit_code
        assert next(iter(lacking.values())) in finished.stderr.decode()
        assert finished.stderr.count(b"\n") == 1
    assert stream.committed() == {}


def test_a_worker_whose_port_is_taken_is_refused(stream: Stream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        finished = sluice("worker", environment={**stream.environment, "SLUICE_HTTP_PORT": port})
    assert finished.returncode == 78
    assert f"cannot listen on 127.0.0.1:{port}" in finished.stderr.decode()
    assert finished.stderr.count(b"\n") == 1


def test_topics_are_created_once_and_described(broker: Broker, stream: Stream) -> None:
    renamed = {name: f"{topic}.more" for name, topic in stream.topics.items()}
    more = Stream(broker.bootstrap_servers, renamed, stream.group_id)

    created = sluice("topics", "create", "--partitions", "2", environment=more.environment)
    again = sluice("topics", "create", environment=more.environment)
    described = sluice("topics", "describe", environment=more.environment).stdout.decode()

    assert created.stdout.decode().split() == [word for topic in renamed.values() for word in (topic, "created")]
    assert again.stdout.decode().split() == [word for topic in renamed.values() for word in (topic, "exists")]
    assert all(topic in described for topic in renamed.values())


def test_the_gate_reads_json_lines_as_the_worker_reads_records() -> None:
    lines = [
        b'\xef\xbb\xbf{"query": "red shoes", "id": 1}',
        b'{"query": "red \\ud800 shoes", "id": 2}',
        b'{"query": "red shoes", "user_id": 42, "id": 3}',
        b'{"text": "red shoes", "size": %s, "id": 4}' % (b"1" * 500),
        b"\x00\x00\x00\x00\x07\x02red shoes",
    ]
    finished = sluice("gate", "--jsonl", given=b"\n".join(lines))
    *decided, refused = map(json.loads, finished.stdout.splitlines())  # orjson cannot read so long a number
    assert [(row["id"], row["verdict"], row["lexical"]) for row in decided] == [
        (number, "allow", "red shoes") for number in (1, 2, 3, 4)
    ]
    assert "encoding_repaired" in str(decided[1]["reason_codes"])
    assert "schema id 7" in str(refused["error"])


def test_the_offsets_and_the_lag_of_each_partition_are_described(stream: Stream) -> None:
    stream.produce([(b"same key", b'{"query": "red shoes"}', [])] * 3)
    described = sluice("topics", "describe", "--json", environment=stream.environment)
    shown = orjson.loads(described.stdout)

    assert shown["group_id"] == stream.group_id
    by_topic = {topic["topic"]: topic for topic in shown["topics"]}
    assert set(by_topic) == set(stream.topics.values())
    raw = by_topic[stream.topics["raw"]]["partitions"]
    assert [partition["partition"] for partition in raw] == list(range(len(raw)))
    assert {partition["partition"]: partition["end"] for partition in raw if partition["end"]} == stream.ends()
    assert sorted(partition["lag"] for partition in raw) == [0] * (len(raw) - 1) + [3]
    assert {partition["committed"] for partition in raw} == {None}
    assert {partition["lag"] for partition in by_topic[stream.topics["recall"]]["partitions"]} == {None}

    table = sluice("topics", "describe", environment=stream.environment).stdout.decode()
    assert re.search(rf"{re.escape(stream.topics['raw'])} +0 +0 +\d+ +none +\d+", table)


def test_produced_records_are_printed_and_tailed(stream: Stream) -> None:
    printed = sluice("produce", "red shoes", "кеды", environment=stream.environment).stdout.decode().splitlines()
    printed_at = [line.split()[0] for line in printed]
    as_they_are = sluice("produce", "--jsonl", given=b'{"query": 1}\r\nbroken\n', environment=stream.environment)
    assert as_they_are.returncode == 0

    with subprocess.Popen(
        [sys.executable, "-m", "sluicegate", "tail", "raw", "--from-beginning"],
        env={**os.environ, **stream.environment},
        stdout=subprocess.PIPE,
    ) as tail:
        assert tail.stdout is not None
        records = [orjson.loads(tail.stdout.readline()) for _ in range(4)]
        tail.terminate()

    at = {f"{record['topic']}-{record['partition']}-{record['offset']}": record for record in records}
    for line, query in zip(printed, ("red shoes", "кеды"), strict=True):
        position, _, trace_id = line.split()
        assert at[position]["value"] == {"query": query}
        assert at[position]["headers"]["traceparent"].split("-")[1] == trace_id
    unchanged = [record["value"] for position, record in at.items() if position not in printed_at]
    assert sorted(unchanged, key=str) == ["broken", {"query": 1}]


def test_tail_can_end_and_choose(stream: Stream) -> None:
    values = [orjson.dumps({"query": f"red shoes {number}", "event_id": f"e{number}"}) for number in range(20)]
    stream.produce([(None, value, []) for value in values])

    def tail(*options: str) -> subprocess.CompletedProcess[bytes]:
        return sluice("tail", "raw", *options, environment=stream.environment)

    everything = tail("--until-now")
    assert everything.returncode == 0
    assert sorted(orjson.dumps(row["value"]) for row in rows(everything)) == sorted(values)

    assert len(rows(tail("--from-beginning", "--limit", "3"))) == 3
    assert [row["value"] for row in rows(tail("--until-now", "--event-id", "e7"))] == [orjson.loads(values[7])]
    derived = f"{stream.topics['raw']}-0-0"
    assert rows(tail("--until-now", "--event-id", derived)) == []

    (short,) = tail("--until-now", "--short", "--event-id", "e7").stdout.splitlines()
    assert short.split()[1:] == [b"raw", b"e7", b"red", b"shoes", b"7"]


def test_tail_shows_the_newest_records_of_all_partitions_by_time(stream: Stream) -> None:
    values = [{"query": "red shoes", "event_id": f"e{number}"} for number in range(6)]
    for value in values:
        stream.produce([(str(value["event_id"]).encode(), orjson.dumps(value), [])])
    found = sluice("tail", "raw", "--newest", "3", environment=stream.environment)
    assert [row["value"] for row in rows(found)] == values[3:]
    wrong = sluice("tail", "raw", "--newest", "3", "--limit", "1", environment=stream.environment)
    assert (wrong.returncode, b"--newest goes with" in wrong.stderr) == (2, True)


def test_tail_until_now_ends_where_there_is_nothing_to_read(stream: Stream) -> None:
    finished = sluice("tail", "--until-now", environment=stream.environment)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, b"", b"")


def test_tail_says_that_the_broker_has_gone() -> None:
    with ExitStack() as stack:
        with EmbeddedBroker() as broker:
            environment = {**os.environ, "SLUICE_BOOTSTRAP_SERVERS": broker.bootstrap_servers}
            create_topics(Connection.plaintext(broker.bootstrap_servers), {"queries.raw": {}}, 1, 1)
            assert sluice("produce", "red shoes", environment=environment).returncode == 0
            command = [sys.executable, "-m", "sluicegate", "tail", "raw", "--from-beginning"]
            tail = stack.enter_context(
                subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            )
            stack.callback(tail.kill)
            assert tail.stdout is not None
            assert tail.stderr is not None
            assert orjson.loads(tail.stdout.readline())["value"] == {"query": "red shoes"}
        gone = f"sluice: {broker.bootstrap_servers} does not answer; waiting for it\n"
        assert tail.stderr.readline().decode() == gone


def test_models_info_shows_the_manifest() -> None:
    shown = sluice("models", "info").stdout.decode()
    assert all(field in shown for field in ("quantization", "int8", "SHA-256 of model.bin", "prompt_version"))


def test_schemas_export_writes_what_is_committed(tmp_path: Path) -> None:
    assert sluice("schemas", "export", tmp_path / "out").returncode == 0
    committed = {
        path.name: path.read_bytes() for path in (Path(__file__).parents[2] / "schemas" / "json").glob("*.json")
    }
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert written.items() <= committed.items()
    assert committed.keys() - written.keys() <= {"openapi.json"}  # of the HTTP API


def test_calibrate_writes_settings_that_the_worker_reads(tmp_path: Path) -> None:
    model, profile = compiled_tiny(tmp_path / "model", "embedded"), tmp_path / "profile.json"
    printed = sluice("calibrate", "--model", model, "--out", profile, "--price", "0.5")
    assert printed.returncode == 0
    assert "events a second per core" in printed.stdout.decode()
    assert "0.5 per core-hour" in printed.stdout.decode()
    written = orjson.loads(profile.read_bytes())
    shown = sluice("config", "show", environment={"SLUICE_PROFILE": str(profile)}).stdout.decode()
    assert load_settings(profile=profile).batch_size == written["batch_size"]
    assert written["compute_type"] in shown
