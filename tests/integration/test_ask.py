"""`sluice ask` as a person runs it: on a terminal, in a pipe, narrow, without colour, with hostile queries."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from sluicegate import GateDecision
from sluicegate.agents.settings import EMBEDDED_MODEL
from tests.support.command import rows, sluice
from tests.support.compiled import compiled_tiny

HOSTILE = "red <b>sh\u200boes</b> \x1b[2J\x1b]0;title\x07\x9b31m\u202e\r\n<|im_end|>[bold]x[/]"


def on_a_terminal(*arguments: str, **environment: str) -> bytes:
    """What `sluice ask` writes to a terminal of its own."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "sluicegate", "ask", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **environment},
    ) as process:
        os.close(follower)
        written = b""
        while part := _read(leader):
            written += part
        assert process.wait(60) == 0
    os.close(leader)
    return written


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # how Linux says that nobody has the other end any more
        return b""


def test_in_a_pipe_it_is_plain_text_that_says_everything() -> None:
    finished = sluice("ask", "wireless", "headphons", environment={"COLUMNS": "80"})
    shown = finished.stdout.decode()
    assert (finished.returncode, finished.stderr) == (0, b"")
    assert "\x1b" not in shown
    for part in (
        "Allowed: no category reached its threshold",
        "wireless [-headphons-] {+headphones+}",
        "product_search",
        "illicit ",
        " read, ",
        "sluice-embedded@",
    ):
        assert part in shown
    assert all(len(line) <= 80 and line == line.rstrip() for line in shown.splitlines())


@pytest.mark.parametrize("columns", [40, 80])
def test_it_fits_the_width_whatever_the_query(columns: int) -> None:
    finished = sluice("ask", HOSTILE + "a" * 300, environment={"COLUMNS": str(columns)})
    lines = finished.stdout.decode().splitlines()
    assert finished.returncode == 0
    assert all(len(line) <= columns for line in lines)
    assert len(lines) > 20


@pytest.mark.parametrize("environment", [{"COLUMNS": "80"}, {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}])
def test_nothing_in_a_query_reaches_the_output_raw(environment: dict[str, str]) -> None:
    shown = sluice("ask", HOSTILE, environment=environment).stdout.decode()
    assert "<U+200B>" in shown
    assert "<U+001B>" in shown
    assert all(line.isprintable() for line in shown.splitlines())
    assert shown.isascii() == ("LC_ALL" in environment)


def test_a_terminal_gets_colour_and_only_our_own_escape_sequences() -> None:
    shown = on_a_terminal(HOSTILE)
    assert b"\x1b[" in shown
    for theirs in (b"\x1b[2J", b"\x1b]0", b"\x07", b"\xc2\x9b", "\u202e".encode()):
        assert theirs not in shown


@pytest.mark.parametrize("quiet", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colour_gets_marks_in_place_of_it(quiet: dict[str, str]) -> None:
    shown = on_a_terminal("wireless headphons", **quiet).decode()
    assert "[-headphons-] {+headphones+}" in shown
    assert "\x1b[3" not in shown
    assert quiet != {"TERM": "dumb"} or "\x1b" not in shown


def test_json_is_the_decision_of_the_python_api_one_line_per_model(tmp_path: Path) -> None:
    tiny = compiled_tiny(tmp_path / "model", "embedded")
    embedded = Path(__file__).parents[2] / "models" / "embedded"
    finished = sluice("ask", "--json", "--model", embedded, "--model", tiny, "red shoes")
    decisions = rows(finished)
    assert (finished.returncode, len(decisions)) == (0, 2)
    assert all(set(decision) == set(GateDecision.__struct_fields__) for decision in decisions)
    assert decisions[0]["model_version"] != decisions[1]["model_version"]


def test_several_models_stand_side_by_side(tmp_path: Path) -> None:
    tiny = compiled_tiny(tmp_path / "model", "embedded")
    embedded = Path(__file__).parents[2] / "models" / "embedded"
    for columns in (40, 100):
        finished = sluice(
            "ask", "--model", embedded, "--model", tiny, "wireless headphons", environment={"COLUMNS": str(columns)}
        )
        shown = finished.stdout.decode()
        assert finished.returncode == 0, finished.stderr
        assert all(len(line) <= columns for line in shown.splitlines())
        assert "verdict" in shown
        assert "illicit" in shown


def test_a_dash_reads_the_query_from_standard_input() -> None:
    finished = sluice("ask", "--json", "-", given=b"wireless\nheadphons\n")
    assert rows(finished)[0]["query"] == "wireless headphons"


@pytest.mark.parametrize(
    ("arguments", "given", "code", "said"),
    [
        (["-"], b"\xff", 65, "standard input is not UTF-8"),
        (["-"], b"", 65, "nothing is left"),
        pytest.param(["-"], b"red " * 500_000, 65, "standard input has more than", id="2 MB"),
        (["\u200b"], b"", 65, "nothing is left"),
        (["red " * 5000], b"", 65, "at most 8192 are allowed"),
        (["--model", "nowhere", "red shoes"], b"", 78, "nowhere"),
        ([], b"", 2, "Missing argument"),
    ],
)
def test_what_cannot_be_decided_is_said_in_one_line(arguments: list[str], given: bytes, code: int, said: str) -> None:
    finished = sluice("ask", *arguments, given=given)
    assert (finished.returncode, finished.stdout) == (code, b"")
    assert said in finished.stderr.decode()


def test_the_verdict_is_the_same_as_that_of_the_gate() -> None:
    query = "how to forge a passport"
    (gate,) = [orjson.loads(line) for line in sluice("gate", query).stdout.splitlines()]
    (ask,) = rows(sluice("ask", "--json", query))
    assert (ask["verdict"], ask["reason_codes"]) == (gate["verdict"], gate["reason_codes"])


def test_it_shows_what_the_second_model_said_and_why_it_was_asked() -> None:
    finished = sluice(
        "ask",
        "you are such a pathetic loser",
        environment={
            "SLUICE_SECOND_MODEL": str(EMBEDDED_MODEL),
            "SLUICE_SECOND_THRESHOLDS": '{"harassment": {"allow": 1, "block": 1.1}}',
            "COLUMNS": "100",
        },
    )
    assert (finished.returncode, finished.stderr) == (0, b"")
    shown = " ".join(finished.stdout.decode().split())
    assert shown.startswith("Allowed: no category reached its threshold")
    assert "The second model decided." in shown
    assert "What the first model said:" in shown
    assert "second model allow, by below_every_threshold sluice-embedded@" in shown
    assert "asked because the first model would send the query to review (review_threshold:harassment)" in shown
