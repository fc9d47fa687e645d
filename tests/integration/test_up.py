import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from importlib.resources import files
from itertools import groupby
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from sluicegate.agents.local.embedded_broker import EmbeddedBroker
from sluicegate.agents.local.up import _keep_running
from sluicegate.agents.settings import load_settings
from sluicegate.schemas.errors import BrokerUnavailable, ExitCode

pytestmark = pytest.mark.xdist_group("up")  # one run of `sluice up`


@pytest.fixture(scope="module")
def shown() -> subprocess.CompletedProcess[str]:
    """One run of `sluice up` into a pipe. It brings its own broker."""
    command = [sys.executable, "-m", "sluicegate", "up"]
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)


def test_sluice_up_ends_without_errors(shown: subprocess.CompletedProcess[str]) -> None:
    assert shown.returncode == 0, shown.stdout[-2000:] + shown.stderr[-2000:]
    assert shown.stderr == ""


def test_every_record_of_the_sample_has_an_outcome(shown: subprocess.CompletedProcess[str]) -> None:
    sample = [
        orjson.loads(line)
        for line in files("sluicegate.agents.local").joinpath("sample.jsonl").read_bytes().splitlines()
    ]
    assert f"{len(sample)} records, {len(sample)} outcomes" in shown.stdout
    outcomes = re.findall(r"^ \S.* (allowed|blocked|review|deadletter) ", shown.stdout, re.MULTILINE)
    assert len(outcomes) == len(sample)
    assert set(outcomes) == {"allowed", "blocked", "review", "deadletter"}
    assert "  not JSON: Unterminated string starting at: line 1 column 11 (char 10)  " in shown.stdout


def test_one_trace_is_drawn_from_the_producer_to_the_outputs(shown: subprocess.CompletedProcess[str]) -> None:
    tree = shown.stdout[shown.stdout.index("The trace of") :]
    spans = re.findall(r"^(publish|[│ ]*[├└]── \w+)", tree, re.MULTILINE)
    # A misspelt query is read twice: as it was typed, and corrected.
    assert [name for name, _ in groupby(span.strip("│ ├└─") for span in spans)] == [
        "publish",
        "process",
        *("normalise", "queue", "model", "validate", "publish"),
    ]


def test_an_action_is_shown_as_json_of_its_schema(shown: subprocess.CompletedProcess[str]) -> None:
    line = shown.stdout[shown.stdout.index("The action") :].splitlines()[1]
    assert orjson.loads(line) == {"destination": "Oslo", "adults": 2, "departure": "2026-05-03", "cabin": "business"}


def test_a_person_decides_a_query_that_the_gate_was_not_sure_of(shown: subprocess.CompletedProcess[str]) -> None:
    shown_review = shown.stdout[shown.stdout.index("The gate was not sure of") :].splitlines()
    assert re.search(r"A person denies it \(\w+\):$", shown_review[0])
    assert shown_review[1].split() == ["queries.review", "─►", "queries.reviewed,", "queries.blocked"]


def test_keep_says_at_once_that_its_broker_has_ended() -> None:
    shown, sleep = io.StringIO(), ["sleep", "60"]
    with EmbeddedBroker() as broker, subprocess.Popen(sleep) as worker:
        settings = load_settings(bootstrap_servers=broker.bootstrap_servers)
        killed = threading.Timer(0.5, broker._process.kill)
        killed.start()
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable, match=r"the embedded broker ended with status -9\..* Try again") as ended:
            _keep_running(Console(file=shown), settings, broker, worker, Path("worker.log"))
        assert time.monotonic() - began < 5
        worker.kill()
    assert ended.value.exit_code == ExitCode.UNAVAILABLE
    assert "Broker and worker run until Ctrl-C" in shown.getvalue()


def test_keep_prints_how_to_reach_the_broker_and_when_the_worker_ends() -> None:
    command = [sys.executable, "-m", "sluicegate", "up", "--keep"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as kept:
        assert kept.stdout is not None
        try:
            shown_text = ""
            while "with your own" not in shown_text:
                shown_text += kept.stdout.readline() or pytest.fail(shown_text)
            readiness = re.search(r"curl (http://127\.0\.0\.1:\d+/readyz)", shown_text)
            brokers = re.search(r"export SLUICE_BOOTSTRAP_SERVERS=(127\.0\.0\.1:\d+)", shown_text)
            worker = re.search(r"kill (\d+) &&", shown_text)
            assert readiness
            assert brokers
            assert worker
            with urllib.request.urlopen(readiness[1]) as page:
                assert page.status == 200
            describe = [*command[:3], "topics", "describe", "--brokers", brokers[1]]
            assert "queries.raw" in subprocess.run(describe, capture_output=True, text=True, check=True).stdout
            subprocess.run(["kill", worker[1]], check=True)
            assert "has ended with status 0" in kept.stdout.readline()
            kept.send_signal(signal.SIGINT)
            _, complaint = kept.communicate(timeout=30)
        finally:
            kept.kill()
    assert (kept.returncode, complaint) == (0, "")
