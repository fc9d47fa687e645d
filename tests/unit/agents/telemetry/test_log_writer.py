"""A log that nobody reads blocks only the log. Tested with real pipes and processes."""

import json
import os
import subprocess
import sys
import time

PROGRAM = """
import logging, sys, time
from sluicegate.agents.telemetry.logs import configure_logging
configure_logging("INFO")
for number in range({count}):
    logging.getLogger("sluicegate.test").info("%d %s", number, "x" * {size})
print("went on", flush=True)
{then}
"""


def start(count: int, size: int, then: str = "") -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PROGRAM.format(count=count, size=size, then=then)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def messages(log: bytes) -> list[str]:
    return [json.loads(line)["message"] for line in log.splitlines()]


def test_a_process_whose_log_nobody_reads_goes_on_and_ends() -> None:
    with start(count=500, size=1000) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"went on\n"
        began = time.monotonic()
        assert process.wait(10) == 0
        assert time.monotonic() - began < 5


def test_dropped_lines_are_counted_in_the_log_once_it_is_read_again() -> None:
    with start(count=12_000, size=100, then="sys.stdin.readline()") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"went on\n"
        said = messages(b"".join(process.stderr.readline() for _ in range(10_000)))
    [note] = [message for message in said if not message.endswith("x")]
    dropped = int(note.removesuffix(" log lines were dropped: standard error was not read"))
    assert 0 < dropped < 2_000
    numbers = [int(message.split()[0]) for message in said if message.endswith("x")]
    assert numbers == list(range(9_999))


def test_the_last_lines_are_written_before_the_process_ends() -> None:
    with start(count=300, size=100) as process:
        _, log = process.communicate(timeout=30)
    assert len(messages(log)) == 300


def test_a_pipe_that_its_reader_made_non_blocking_loses_nothing() -> None:
    with start(count=2_000, size=200) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        os.set_blocking(process.stderr.fileno(), False)
        process.stdout.readline()
        os.set_blocking(process.stderr.fileno(), True)
        assert len(messages(process.stderr.read())) == 2_000


def test_a_reader_that_leaves_ends_the_log_and_not_the_process() -> None:
    with start(count=100, size=100, then="time.sleep(0.2); print('still here', flush=True)") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stderr.close()
        assert process.stdout.read() == b"went on\nstill here\n"
        assert process.wait(10) == 0


def test_a_line_that_cannot_be_formatted_is_one_line_that_says_so() -> None:
    program = """
import logging
from sluicegate.agents.telemetry.logs import configure_logging
configure_logging("INFO")
logging.getLogger("sluicegate.test").info("%d", "not a number")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=30)
    [message] = messages(done.stderr)
    assert message.startswith("a log line of sluicegate.test cannot be formatted: TypeError at ")
