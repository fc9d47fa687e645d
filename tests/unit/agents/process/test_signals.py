"""What signals do to a process whose event loop cannot answer, or has not started. Real processes, real signals."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sluicegate.agents.process.signals import DRAIN, IGNORED, REPORT
from tests.support.ports import free_port

HANGING_LOOP = """
import asyncio, time
from sluicegate.agents.process.signals import ignore_other_signals, install_handlers
from sluicegate.agents.process.watchdog import StopWatchdog

ignore_other_signals()
loop = asyncio.new_event_loop()
requested = install_handlers(loop, lambda number: print("drained"), lambda: print("reported"))
StopWatchdog(
    stopping=requested, in_flight=lambda: 0, longest_s=60, idle_s=0.5, flush=lambda: None, exit_code=lambda: 3
).start()
print("ready", flush=True)
loop.call_soon(lambda: [time.sleep(0.1) for _ in range(300)])
loop.run_forever()
"""
BEFORE_THE_LOOP = """
import time
from sluicegate.agents.process.signals import ignore_other_signals
ignore_other_signals()
print("ready", flush=True)
time.sleep(30)
"""
IDLE_LOOP = """
import asyncio, uvloop
from sluicegate.agents.process.signals import ignore_other_signals, install_handlers
ignore_other_signals()
loop = uvloop.new_event_loop()
install_handlers(loop, lambda number: print(number.name, flush=True), lambda: print("report", flush=True))
loop.call_soon(lambda: print("ready", flush=True))
loop.run_forever()
"""


@contextmanager
def running(program: str, *prefix: str) -> Iterator[subprocess.Popen[str]]:
    command = [*prefix, sys.executable, "-c", program]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    try:
        assert said(process) == "ready"
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_process_whose_event_loop_hangs_ends_at_sigterm() -> None:
    with running(HANGING_LOOP) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 3


def test_an_idle_event_loop_hears_every_signal_at_once() -> None:
    with running(IDLE_LOOP) as process:
        for number in IGNORED:
            process.send_signal(number)
        for number in DRAIN:
            process.send_signal(number)
            assert said(process) == number.name
        process.send_signal(REPORT)
        assert said(process) == "report"


@pytest.mark.parametrize("number", DRAIN, ids=lambda number: number.name)
def test_a_signal_that_drains_ends_a_process_that_has_not_begun(number: signal.Signals) -> None:
    with running(BEFORE_THE_LOOP) as process:
        for ignored in (REPORT, *IGNORED):
            process.send_signal(ignored)
        process.send_signal(number)
        assert process.wait(10) != 0


def test_nohup_is_respected() -> None:
    with running(IDLE_LOOP, "nohup") as process:
        process.send_signal(signal.SIGHUP)
        process.send_signal(REPORT)
        assert said(process) == "report"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_ignores_the_other_signals_before_it_imports_a_kafka_client() -> None:
    nobody = f"127.0.0.1:{free_port()}"
    with subprocess.Popen(
        [sys.executable, "-m", "sluicegate", "worker"],
        env={**os.environ, "SLUICE_BOOTSTRAP_SERVERS": nobody, "SLUICE_HTTP_PORT": str(free_port())},
        stderr=subprocess.DEVNULL,
    ) as process:
        process_files = Path(f"/proc/{process.pid}")
        try:
            while True:
                imported = "confluent_kafka" in (process_files / "maps").read_text()
                ignored = re.search(r"SigIgn:\s*(\w+)", (process_files / "status").read_text())
                assert process.poll() is None, "it has ended"
                if imported:
                    break
        finally:
            process.kill()
    assert ignored
    missing = [number.name for number in (REPORT, *IGNORED[:5]) if not int(ignored[1], 16) >> number - 1 & 1]
    assert not missing
