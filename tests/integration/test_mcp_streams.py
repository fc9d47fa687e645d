"""Over standard output nothing but the protocol travels, from start to end, whatever happens meanwhile."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.mcp_processes import (
    COMMAND,
    INITIALIZE,
    INITIALIZED,
    call,
    mcp_process,
    receive,
    send,
    written,
)


def messages_in(output: bytes) -> list[dict[str, Any]]:
    """Every byte of `output`, which must be whole JSON-RPC messages, one a line."""
    assert not output or output.endswith(b"\n")
    messages = [orjson.loads(line) for line in output.splitlines()]
    assert all(message["jsonrpc"] == "2.0" for message in messages)
    return messages


def session(given: bytes, *options: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *options],
        input=given,
        env={**os.environ, **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )


def test_every_call_is_answered_although_the_input_ends_at_once() -> None:
    calls = [call(number, "gate", query=f"red shoes {number}") for number in range(50)]
    finished = session(written(INITIALIZE, INITIALIZED, *calls))
    answers = {message["id"]: message for message in messages_in(finished.stdout)}
    assert set(answers) == {"first", *range(50)}
    assert not any(answers[number]["result"]["isError"] for number in range(50))
    assert (finished.returncode, finished.stderr) == (0, b"")


def test_lines_that_are_no_messages_are_answered_and_harm_nothing() -> None:
    broken = [b"garbage", b"\xff\xfe", b"[" * 200_000, b'{"jsonrpc": "2.0"}', b"[]", b'"', b"null"]
    half_an_emoji = (
        b'{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"gate","arguments":{"query":"\\ud800 red"}}}'
    )
    ten_megabytes = call(8, "gate", query="red " * 2_500_000)
    unknown = {"jsonrpc": "2.0", "id": 7, "method": "no/such"}
    finished = session(
        written(
            INITIALIZE,
            INITIALIZED,
            *broken,
            b"",
            half_an_emoji,
            ten_megabytes,
            unknown,
            call(1, "gate", query="red shoes"),
        )
    )
    messages = messages_in(finished.stdout)
    answers = {message["id"]: message for message in messages}
    assert sum(message["id"] is None for message in messages) == len(broken)
    assert answers[9]["result"]["structuredContent"]["query"] == "red"
    assert "at most 8192" in answers[8]["result"]["content"][0]["text"]
    assert answers[7]["error"]["code"] == -32601
    assert answers[1]["result"]["structuredContent"]["verdict"] == "allow"
    assert finished.returncode == 0


def test_no_input_gives_no_output() -> None:
    assert session(b"").stdout == b""
    assert session(b"\n\n").stdout == b""


PRINTING = """
import atexit, os, warnings

def print_everywhere():
    print("a library prints")
    warnings.warn("a library warns")
    os.write(1, b"native code writes\\n")
    os.system("echo a child writes")

import sluicegate.agents.cli.protocol_streams as streams
take = streams.take_protocol_streams

def take_and_print():
    taken = take()
    print_everywhere()
    import sluicegate.agents.deciding.decider as decider
    normalise = decider.normalise

    def loud(*given, **more):
        print_everywhere()
        return normalise(*given, **more)

    decider.normalise = loud
    atexit.register(print_everywhere)
    return taken

streams.take_protocol_streams = take_and_print
"""


def test_what_libraries_native_code_and_children_print_goes_to_standard_error(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(PRINTING)  # the interpreter imports it when it starts
    finished = session(written(INITIALIZE, INITIALIZED, call(1, "gate", query="red shoes")), PYTHONPATH=str(tmp_path))
    assert {message["id"] for message in messages_in(finished.stdout)} == {"first", 1}
    for line in (b"a library prints", b"native code writes", b"a child writes"):
        assert finished.stderr.count(line) >= 3  # at the start, for the query, at the end
    assert finished.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_while_it_waits_for_input(number: signal.Signals) -> None:
    with mcp_process() as process:
        send(process, INITIALIZE, INITIALIZED, call(1, "gate", query="red shoes"))
        assert {receive(process)["id"], receive(process)["id"]} == {"first", 1}
        process.send_signal(number)
        assert process.wait(60) == 0
        assert process.stdout
        assert process.stderr
        assert (process.stdout.read(), process.stderr.read()) == (b"", b"")


def test_a_signal_while_calls_are_under_way_leaves_whole_messages() -> None:
    with mcp_process() as process:
        send(process, INITIALIZE, INITIALIZED)
        receive(process)
        send(process, *(call(number, "gate", query=f"red shoes {number}") for number in range(200)))
        receive(process)
        process.send_signal(signal.SIGTERM)
        assert process.stdout
        messages_in(process.stdout.read())
        assert process.wait(60) == 0


def test_a_signal_before_the_model_is_loaded_writes_nothing() -> None:
    with mcp_process() as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (-signal.SIGTERM, 143)
        assert process.stdout
        assert process.stdout.read() == b""


def test_a_client_that_goes_away_ends_it_quietly() -> None:
    with mcp_process() as process:
        send(process, INITIALIZE, INITIALIZED)
        receive(process)
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        send(process, call(1, "gate", query="red shoes"))
        assert process.wait(60) == 0
        assert b"Traceback" not in process.stderr.read()


def test_a_client_that_reads_nothing_cannot_hold_the_process() -> None:
    with mcp_process() as process:
        send(process, INITIALIZE, INITIALIZED)
        receive(process)
        # Far more than a pipe holds.
        send(process, *(call(number, "gate", query="red shoes") for number in range(300)))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("redirection", "stream"), [("<&-", "input"), (">&-", "output"), ("<&- >&- 2>&-", None), ("2>&-", None)]
)
def test_streams_that_are_closed_when_it_starts(redirection: str, stream: str | None) -> None:
    finished = subprocess.run(
        ["bash", "-c", f'"$@" {redirection}', "bash", *COMMAND],
        input=written(INITIALIZE),
        capture_output=True,
        timeout=120,
        check=False,
    )
    if stream:
        assert finished.returncode == 74
        assert finished.stderr.decode() == f"sluice: cannot use standard {stream}: it is closed\n"
    elif redirection == "2>&-":
        assert (finished.returncode, len(messages_in(finished.stdout))) == (0, 1)


def test_a_wrong_setting_or_model_is_one_line_on_standard_error(tmp_path: Path) -> None:
    for options in (["--model", str(tmp_path)], ["--ledger", str(tmp_path / "none.jsonl")]):
        finished = session(written(INITIALIZE), *options)
        assert finished.returncode in (74, 78)
        assert finished.stdout == b""
        assert finished.stderr.startswith(b"sluice: ")
        assert finished.stderr.count(b"\n") == 1


def test_no_query_is_logged_at_any_level() -> None:
    secret = "a very secret query"
    finished = session(
        written(
            INITIALIZE,
            INITIALIZED,
            call(1, "gate", query=secret),
            call(2, "gate", query=[secret]),
            call(3, secret, query=secret),
            f'{{"jsonrpc": "2.0", "oops": "{secret}"}}'.encode(),
            {"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": {"name": 5, "arguments": secret}},
        ),
        SLUICE_LOG_LEVEL="DEBUG",
    )
    assert len(messages_in(finished.stdout)) == 6
    assert b"secret" not in finished.stderr
