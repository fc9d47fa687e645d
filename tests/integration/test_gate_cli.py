"""`sluice gate` as a process: arguments, lines and files in, decisions out, and what ends it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from tests.support.command import rows, sluice


def test_the_gate_decides_its_arguments_in_order() -> None:
    finished = sluice("gate", "wireless headphons", "how to forge a passport", "50% off <b>tv</b>")

    assert (finished.returncode, finished.stderr) == (0, b"")
    decisions = rows(finished)
    assert [decision["query"] for decision in decisions] == [
        *("wireless headphons", "how to forge a passport", "50% off <b>tv</b>")
    ]
    for decision in decisions:
        blocked = decision["verdict"] == "block"
        assert decision["verdict"] in ("allow", "block", "review")
        assert (decision["lexical"] is None) == (decision["intent"] is None) == blocked
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


def gate_with(redirection: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Run ``sluice gate`` in a shell with `redirection`."""
    command = ["bash", "-c", f'exec "$@" {redirection}', "bash", sys.executable, "-m", "sluicegate", "gate"]
    return subprocess.run([*command, *arguments], capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("redirection", "said"),
    [
        ("<&-", b"sluice: cannot read standard input: it is closed\n"),
        ("0>/dev/null", b"sluice: cannot read standard input: Bad file descriptor\n"),
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
    csv.write_bytes(b'\xef\xbb\xbfid,body,verdict\r\n1,"red, or ""blue"",\nshoes",mine\r\n2,\xff,\r\n3\r\n4,a,b,c\r\n')

    lines = sluice("gate", "--lines", text)
    assert lines.returncode == 65
    assert [row.get("query") for row in rows(lines)] == ["red shoes", None, "blue shoes"]
    assert (rows(lines)[1]["error"], rows(lines)[1]["line"]) == ("the line is not UTF-8", 3)
    assert [row["id"] for row in rows(sluice("gate", "--jsonl", json_lines))] == [1]

    first, *broken = rows(sluice("gate", "--csv", csv, "--column", "body"))
    assert (first["id"], first["body"], first["input_verdict"]) == ("1", 'red, or "blue",\nshoes', "mine")
    assert first["verdict"] in ("allow", "block", "review")
    assert [(row["line"], row["error"]) for row in broken] == [
        (4, "the row is not UTF-8"),
        (5, "the row has no 'body'"),
        (6, "the row has more fields than the header"),
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
