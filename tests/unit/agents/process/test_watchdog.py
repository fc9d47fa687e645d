"""The watchdog ends a process, so it is tested in processes of its own."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.xdist_group("timing")

PROGRAM = """
import time
from sluicegate.agents.process import watchdog
watchdog.StopWatchdog(
    stopping=lambda: {stopping}, in_flight=lambda: {in_flight}, longest_s={longest}, idle_s={idle},
    flush=lambda: print("flushed", flush=True), exit_code=lambda: 3,
).start()
time.sleep({lasts})
"""


def run(**values: object) -> tuple[int, bytes]:
    """Exit code and output of a process that ends with 0 after its sleep, unless the watchdog ends it."""
    command = [sys.executable, "-c", PROGRAM.format(**values)]
    finished = subprocess.run(command, capture_output=True, timeout=60, check=False)
    return finished.returncode, finished.stdout


@pytest.mark.parametrize(("in_flight", "idle", "longest"), [(0, 0.5, 60), (1, 0.5, 1.0)])
def test_a_stop_that_hangs_ends_once_idle_or_at_the_limit(in_flight: int, idle: float, longest: float) -> None:
    assert run(stopping=True, in_flight=in_flight, idle=idle, longest=longest, lasts=30) == (3, b"flushed\n")


@pytest.mark.parametrize(("stopping", "in_flight"), [(False, 0), (True, 1)])
def test_a_worker_that_works_is_left_alone(stopping: bool, in_flight: int) -> None:
    assert run(stopping=stopping, in_flight=in_flight, idle=0.5, longest=60, lasts=2) == (0, b"")
