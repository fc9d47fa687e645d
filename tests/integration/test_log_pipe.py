"""A worker keeps working, and stops on SIGTERM, when its log is no longer read."""

import fcntl
import os
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.support.accounts import assert_accounted_for
from tests.support.brokers import Broker, TopicMaker
from tests.support.ports import free_port
from tests.support.worker_process import WorkerProcess, fresh_stream, make_stream, wait_for

PIPE_BYTES = 4096
"""The least that Linux gives a pipe."""
LINE_BYTES = 500
"""More than the line that SIGUSR1 logs."""


def waiting_bytes(reading: int) -> int:
    return int.from_bytes(fcntl.ioctl(reading, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_a_full_log_pipe_stops_neither_the_worker_nor_its_end(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics)
    port = free_port()
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    process = subprocess.Popen(
        [sys.executable, "-m", "sluicegate", "worker"],
        env={**os.environ, **stream.environment, "SLUICE_HTTP_PORT": str(port)},
        stdin=subprocess.DEVNULL,
        stderr=writing,
    )
    (tmp_path / "none").touch()
    worker = WorkerProcess(process, tmp_path / "none", port)
    try:
        wait_for(worker.healthy, 60, "the worker does not answer on /healthz")
        for _ in range(100):
            process.send_signal(signal.SIGUSR1)
            assert worker.healthy()
        wait_for(lambda: waiting_bytes(reading) > PIPE_BYTES - LINE_BYTES, 10, "the pipe is not full")
        stream.produce([(None, b'{"query": "red shoes %d"}' % number, []) for number in range(100)])
        stream.await_commits()
        worker.stop()
    finally:
        process.kill()
        process.wait()
        os.close(writing)
        os.close(reading)
    assert_accounted_for(stream.inputs(), stream.outputs())


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_worker_without_standard_streams_works_and_ends_when_it_is_asked_to(
    closed: str, embedded_broker: Broker, tmp_path: Path
) -> None:
    stream = fresh_stream(embedded_broker.bootstrap_servers, "streams", partitions=1)
    port = free_port()
    process = subprocess.Popen(
        ["/bin/sh", "-c", f'exec "$0" -m sluicegate worker {closed}', sys.executable],
        env={**os.environ, **stream.environment, "SLUICE_HTTP_PORT": str(port)},
    )
    (tmp_path / "none").touch()
    worker = WorkerProcess(process, tmp_path / "none", port)
    try:
        wait_for(worker.healthy, 60, "the worker does not answer on /healthz")
        stream.produce([(None, b'{"query": "red shoes"}', [])])
        stream.await_commits()
        worker.stop()
    finally:
        process.kill()
        process.wait()
