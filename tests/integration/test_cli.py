import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
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


def test_the_gate_decides_its_arguments_in_order() -> None:
    finished = sluice("gate", "chep runing shoes", "how to make a pipe bomb", "50% off <b>tv</b>")

    assert (finished.returncode, finished.stderr) == (0, b"")
    decisions = rows(finished)
    assert [decision["query"] for decision in decisions] == [
        *("chep runing shoes", "how to make a pipe bomb", "50% off <b>tv</b>")
    ]
    for decision in decisions:
        blocked = decision["verdict"] == "block"
        assert decision["verdict"] in ("allow", "block", "review")
        assert (decision["rewrite"] is None) == (decision["intent"] is None) == blocked
        assert (decision["category"] is None) == (decision["verdict"] == "allow")
        probabilities = decision["probabilities"]
        assert isinstance(probabilities, dict)
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-3)
        assert isinstance(decision["latency_ms"], float)
        assert decision["reason_codes"]
    assert decisions[1]["verdict"] == "block"


def test_json_lines_pass_other_fields_through_and_a_broken_line_is_answered_in_its_place() -> None:
    lines = [
        b'{"query": "red shoes", "id": 1, "verdict": "mine", "latency_ms": 3}',
        b"broken",
        b'{"text": "blue shoes", "id": 2}',
        b"",
        b'{"id": 3}',
        b'{"query": 5, "id": 4}',
        b'{"query": "\xff"}',
        b'{"query": " ", "id": 6}',
        b"[1]",
        b'{"query": "green shoes", "text": "not this", "nested": {"a": [1]}}',
    ]
    finished = sluice("gate", "--jsonl", given=b"\n".join(lines))

    assert (finished.returncode, finished.stderr) == (65, b"")
    first, broken, second, missing, wrong, encoding, empty, array, last = rows(finished)
    assert first["verdict"] in ("allow", "block", "review")
    assert (first["query"], first["id"], first["input_verdict"], first["input_latency_ms"]) == (
        "red shoes",
        1,
        "mine",
        3,
    )
    assert (second["text"], second["id"]) == ("blue shoes", 2)
    assert (last["query"], last["text"], last["nested"]) == ("green shoes", "not this", {"a": [1]})
    for answer, reason in (
        *((broken, "JSON"), (missing, "`query`"), (wrong, "$.query"), (encoding, "UTF-8"), (empty, "$.query")),
        (array, "object"),
    ):
        assert answer["verdict"] is None
        assert reason in str(answer["error"])
    assert [answer.get("id") for answer in (missing, wrong, empty)] == [3, 4, 6]


def test_300_lines_keep_their_order_and_take_seconds() -> None:
    texts = [f"{'very ' * (n % 7)}red shoes size {n}" for n in range(300)]
    started = time.monotonic()
    finished = sluice("gate", "--jsonl", given=b"\n".join(orjson.dumps({"query": text}) for text in texts))

    assert finished.returncode == 0, finished.stderr
    assert [row["query"] for row in rows(finished)] == texts
    assert not any("degraded" in str(row["reason_codes"]) for row in rows(finished))
    assert time.monotonic() - started < 60


def test_a_line_is_answered_before_the_next_one_comes() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "sluicegate", "gate", "--jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for text in (b"red shoes", b"blue shoes"):
            process.stdin.write(b'{"query": "%s"}\n' % text)
            process.stdin.flush()
            assert orjson.loads(process.stdout.readline())["query"].encode() == text
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_a_line_nested_too_deep_is_answered_in_its_place(depth: int) -> None:
    deep = b'{"query": "red shoes", "x": %s}' % (b"[" * depth + b"]" * depth)
    refused, decided = rows(sluice("gate", "--jsonl", given=deep + b'\n{"query": "red shoes"}'))
    assert (refused["verdict"], refused["line"]) == (None, 1)
    assert "depth" in str(refused["error"])
    assert decided["verdict"] == "allow"


def test_a_field_passes_through_byte_for_byte_whatever_it_is_called() -> None:
    line = b'{"query": "red shoes", "verdict": "mine", "input_verdict": "too", "id": 123456789012345678901, "n": 1.10}'
    finished = sluice("gate", "--jsonl", given=line)
    assert finished.returncode == 0
    for field in (
        b'"input_input_verdict":"mine"',
        b'"input_verdict":"too"',
        b'"id":123456789012345678901',
        b'"n":1.10',
    ):
        assert field in finished.stdout
    broken = rows(sluice("gate", "--jsonl", given=b'{"id": 1, "category": "mine", "line": "my own"}'))[0]
    assert (broken["input_category"], broken["input_line"], broken["line"]) == ("mine", "my own", 1)


@pytest.mark.parametrize("arguments", [["--jsonl"], [f"red shoes {n}" for n in range(300)]], ids=["lines", "arguments"])
def test_a_reader_that_leaves_ends_the_gate_quietly(arguments: list[str], tmp_path: Path) -> None:
    given = tmp_path / "given.jsonl"
    given.write_bytes(b'{"query": "red shoes"}\n' * 2000)
    with (
        given.open("rb") as stdin,
        subprocess.Popen(
            [sys.executable, "-m", "sluicegate", "gate", *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        assert orjson.loads(process.stdout.readline())["query"].startswith("red shoes")
        process.stdout.close()
        assert (process.wait(30), process.stderr.read()) == (0, b"")


def test_an_interrupt_ends_the_gate_although_its_input_is_open() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "sluicegate", "gate", "--jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b'{"query": "red shoes"}\n')
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130


def test_an_argument_that_is_not_utf8_is_refused() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "sluicegate", "gate", b"red \xff shoes"], capture_output=True, timeout=60, check=False
    )
    assert (finished.returncode, finished.stdout) == (65, b"")
    assert finished.stderr == b"sluice: argument 1 is not UTF-8\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["gate"],
        ["gate", "--jsonl", "no-such-file"],
        ["gate", "--csv"],
        ["gate", "--jsonl", "--lines"],
        ["produce"],
        ["nothing"],
        ["gate", "--x"],
    ],
)
def test_wrong_usage_is_told(arguments: list[str]) -> None:
    finished = sluice(*arguments)
    assert finished.returncode == 2
    assert b"Usage" in finished.stderr
    assert finished.stdout == b""


def gate_with(redirection: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Run ``sluice gate`` in a shell with `redirection`."""
    command = ["bash", "-c", f'exec "$@" {redirection}', "bash", sys.executable, "-m", "sluicegate", "gate"]
    return subprocess.run([*command, *arguments], capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("redirection", "said"),
    [
        ("<&-", b"sluice: cannot read standard input: it is closed\n"),
        (">/dev/full", b"sluice: cannot write to standard output: No space left on device\n"),
        (">&-", b"sluice: cannot write to standard output: it is closed\n"),
    ],
)
def test_a_stream_that_fails_is_one_line_and_exit_74(redirection: str, said: bytes, tmp_path: Path) -> None:
    given = tmp_path / "given.jsonl"
    given.write_bytes(b'{"query": "red shoes"}\n' * 300)
    finished = gate_with(redirection if "<" in redirection else f"<{given} {redirection}", "--jsonl")
    assert (finished.returncode, finished.stdout, finished.stderr) == (74, b"", said)


def test_an_input_that_cannot_be_read_is_one_line_and_exit_74(tmp_path: Path) -> None:
    finished = sluice("gate", "--lines", tmp_path)
    assert (finished.returncode, finished.stdout) == (74, b"")
    assert finished.stderr.decode() == f"sluice: cannot read {tmp_path}: Is a directory\n"


def test_the_gate_reads_text_and_json_lines_and_csv_from_a_file(tmp_path: Path) -> None:
    text, json_lines, csv = tmp_path / "q.txt", tmp_path / "q.jsonl", tmp_path / "q.csv"
    text.write_bytes(b"\xef\xbb\xbfred shoes\n\n\xff\nblue shoes")
    json_lines.write_bytes(b'{"text": "red shoes", "id": 1}\n')
    csv.write_bytes(b'\xef\xbb\xbfid,body,verdict\r\n1,"red, or ""blue"", shoes",mine\r\n2,\xff,\r\n3\r\n4,a,b,c\r\n')

    lines = sluice("gate", "--lines", text)
    assert lines.returncode == 65
    assert [row.get("query") for row in rows(lines)] == ["red shoes", None, "blue shoes"]
    assert (rows(lines)[1]["error"], rows(lines)[1]["line"]) == ("the line is not UTF-8", 3)
    assert [row["id"] for row in rows(sluice("gate", "--jsonl", json_lines))] == [1]

    first, *broken = rows(sluice("gate", "--csv", csv, "--column", "body"))
    assert (first["id"], first["body"], first["input_verdict"]) == ("1", 'red, or "blue", shoes', "mine")
    assert first["verdict"] in ("allow", "block", "review")
    assert [(row["line"], row["error"]) for row in broken] == [
        (2, "the row is not UTF-8"),
        (3, "the row has no 'body'"),
        (4, "the row has more fields than the header"),
    ]
    piped = sluice("gate", "--csv", "--column", "body", given=csv.read_bytes())
    assert [row["verdict"] for row in rows(piped)] == [row["verdict"] for row in (first, *broken)]


def test_a_source_that_breaks_off_is_one_line_after_what_was_decided(tmp_path: Path) -> None:
    csv = tmp_path / "q.csv"
    csv.write_bytes(b'body\nred shoes\n"blue" shoes\n')
    finished = sluice("gate", "--csv", csv, "--column", "body")
    assert [row["body"] for row in rows(finished)] == ["red shoes"]
    assert finished.returncode == 65
    assert finished.stderr.decode().startswith(f"sluice: {csv}, line 3: not CSV: ")
    assert finished.stderr.count(b"\n") == 1

    finished = sluice("gate", "--csv", csv, "--column", "query")
    assert (finished.returncode, finished.stdout) == (65, b"")
    assert finished.stderr.decode() == f"sluice: {csv} has no column 'query'; its columns: body\n"


def test_a_file_is_not_taken_for_a_query(tmp_path: Path) -> None:
    file = tmp_path / "texts.csv"
    file.write_text("body\nred shoes\n")
    finished = sluice("gate", file)
    assert (finished.returncode, finished.stdout) == (2, b"")
    assert b"is a file" in finished.stderr
    assert rows(sluice("gate", "red shoes 3.5 and/or 4"))[0]["query"] == "red shoes 3.5 and/or 4"


@pytest.mark.parametrize(
    ("arguments", "environment", "exit_code", "named"),
    [
        (["worker"], {"SLUICE_BATCH_SIZE": "0"}, 78, "SLUICE_BATCH_SIZE"),
        (["worker"], {"SLUICE_THRESHOLDS": '{"hate": {"allow": 2}}'}, 78, "SLUICE_THRESHOLDS"),
        (["worker"], {"SLUICE_TOPIC_RECALL": "queries.raw"}, 78, "SLUICE_TOPIC_RAW"),
        (["worker"], NOBODY, 69, "127.0.0.1:1"),
        (["gate", "--model", "/nowhere", "query"], {}, 78, "/nowhere"),
        (["models", "info", "/nowhere"], {}, 78, "/nowhere"),
        (["models", "compile", "/nowhere", "/tmp/never-made"], {}, 78, "/nowhere"),
        (["tail", "nothing"], {}, 78, "nothing"),
        (["worker"], {"SLUICE_HTTP_PORT": "0"}, 78, "SLUICE_HTTP_PORT"),
        (["schemas", "export", __file__], {}, 78, __file__),
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
    assert [(row["id"], row["verdict"], row["rewrite"]) for row in decided] == [
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


def test_what_is_produced_is_told_and_tailed(stream: Stream) -> None:
    told = sluice("produce", "red shoes", "кеды", environment=stream.environment).stdout.decode().splitlines()
    told_at = [line.split()[0] for line in told]
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
    for line, query in zip(told, ("red shoes", "кеды"), strict=True):
        position, _, trace_id = line.split()
        assert at[position]["value"] == {"query": query}
        assert at[position]["headers"]["traceparent"].split("-")[1] == trace_id
    unchanged = [record["value"] for position, record in at.items() if position not in told_at]
    assert sorted(unchanged, key=str) == ["broken", {"query": 1}]


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
    committed = Path(__file__).parents[2] / "schemas" / "json"
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        path.name: path.read_bytes() for path in committed.glob("*.json")
    }


def test_calibrate_writes_settings_that_the_worker_reads(tmp_path: Path) -> None:
    model, profile = compiled_tiny(tmp_path / "model", "embedded"), tmp_path / "profile.json"
    told = sluice("calibrate", "--model", model, "--out", profile, "--price", "0.5")
    assert told.returncode == 0
    assert "events a second per core" in told.stdout.decode()
    assert "0.5 per core-hour" in told.stdout.decode()
    written = orjson.loads(profile.read_bytes())
    shown = sluice("config", "show", environment={"SLUICE_PROFILE": str(profile)}).stdout.decode()
    assert load_settings(profile=profile).batch_size == written["batch_size"]
    assert written["compute_type"] in shown
