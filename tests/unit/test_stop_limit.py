"""The limit is a process's last act, so it is tried on processes."""

import subprocess
import sys
import time

import pytest

PROGRAM = """
import time
from agents import stop_limit
stop_limit.IDLE_S = {idle}
stop_limit.StopLimit(
    stopping=lambda: {stopping}, in_flight=lambda: {in_flight}, longest_s={longest},
    flush=lambda: print("flushed", flush=True), exit_code=lambda: 3,
).start()
time.sleep(4)
"""


def run(**values: object) -> tuple[int, bytes, float]:
    """Exit code, output and seconds of a process that would sleep for four seconds."""
    started = time.monotonic()
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(**values)], capture_output=True, timeout=60, check=False
    )
    return finished.returncode, finished.stdout, time.monotonic() - started


@pytest.mark.parametrize(("in_flight", "idle", "longest"), [(0, 0.5, 60), (1, 0.5, 1.0)])
def test_a_stop_that_hangs_ends_once_idle_or_at_the_limit(in_flight: int, idle: float, longest: float) -> None:
    code, said, seconds = run(stopping=True, in_flight=in_flight, idle=idle, longest=longest)
    assert (code, said) == (3, b"flushed\n")
    assert seconds < 4


@pytest.mark.parametrize(("stopping", "in_flight"), [(False, 0), (True, 1)])
def test_a_worker_that_works_is_left_alone(stopping: bool, in_flight: int) -> None:
    code, said, _ = run(stopping=stopping, in_flight=in_flight, idle=0.5, longest=60)
    assert (code, said) == (0, b"")
