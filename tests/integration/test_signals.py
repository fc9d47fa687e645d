"""Every signal against a worker under load, whose standard input is an open pipe, on a cluster with a password."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from sluicegate.agents.process.signals import DRAIN, IGNORED, REPORT
from sluicegate.models.data.products import product_query
from tests.support.accounts import assert_accounted_for
from tests.support.kafka_cluster import ApacheKafka
from tests.support.kafka_with_password import kafka_with_password, login_of
from tests.support.log_hygiene import assert_every_line_is_json, assert_nothing_leaks
from tests.support.ports import free_port
from tests.support.worker_process import Stream, WorkerProcess, fresh_stream, wait_for

COUNT = 3000
MARKER = "quetzalcoatlus"


@pytest.fixture(scope="module")
def cluster() -> Iterator[ApacheKafka]:
    with kafka_with_password() as kafka:
        yield kafka


@pytest.fixture
def stream(cluster: ApacheKafka) -> Stream:
    stream = fresh_stream(cluster.bootstrap_servers, "signals")
    rng = random.Random(3)
    queries = [f"{MARKER} {product_query(rng).text}" for _ in range(COUNT)]
    stream.produce([(None, orjson.dumps({"query": query}), []) for query in queries])
    return stream


@contextmanager
def worker_with_open_stdin(
    stream: Stream, cluster: ApacheKafka, folder: Path, log_level: str = "INFO"
) -> Iterator[tuple[subprocess.Popen[bytes], WorkerProcess]]:
    """A worker that logs in, and whose standard input is a pipe that stays open."""
    port = free_port()
    log = folder / "worker.log"
    settings = {**login_of(cluster), "http_port": str(port), "log_level": log_level}
    given = {f"SLUICE_{name.upper()}": value for name, value in settings.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sluicegate", "worker"],
            env={**os.environ, **stream.environment, **given},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    worker = WorkerProcess(process, log, port)
    try:
        wait_for(worker.healthy, 60, "the worker does not answer on /healthz")
        yield process, worker
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def assert_log_is_clean(worker: WorkerProcess, cluster: ApacheKafka) -> None:
    assert_every_line_is_json(worker.log)
    assert "Starting..." not in worker.log, "Mode logs its own steps"
    assert '"logger": "faust' not in worker.log, "Faust logs a warning in a run without a fault"
    assert_nothing_leaks(worker.log, secrets=[cluster.password], texts=[MARKER])


@pytest.mark.parametrize("number", DRAIN, ids=lambda number: number.name)
def test_a_signal_that_drains_finishes_and_commits_what_is_in_flight(
    number: signal.Signals, cluster: ApacheKafka, stream: Stream, tmp_path: Path
) -> None:
    with worker_with_open_stdin(stream, cluster, tmp_path) as (process, worker):
        wait_for(lambda: stream.ledger_count() > 100, 60, "the worker does not work")
        process.send_signal(number)
        process.send_signal(number)
        assert worker.exit_code(30) == 0
        assert f"{number.name} received" in worker.log
        assert_log_is_clean(worker, cluster)
    decided = stream.ledger_count()
    assert 0 < decided < COUNT
    assert sum(stream.committed().values()) == decided


@pytest.mark.parametrize("log_level", ["INFO", "DEBUG"])
def test_every_other_signal_leaves_the_worker_at_work_and_nothing_private_in_its_log(
    log_level: str, cluster: ApacheKafka, stream: Stream, tmp_path: Path
) -> None:
    with worker_with_open_stdin(stream, cluster, tmp_path, log_level) as (process, worker):
        wait_for(lambda: stream.ledger_count() > 100, 60, "the worker does not work")
        assert process.stdin is not None
        for number in (REPORT, *IGNORED, REPORT):
            process.send_signal(number)
            process.stdin.write(b"import os; os._exit(3)\n")
            process.stdin.flush()
            time.sleep(0.05)
        assert stream.ledger_count() < COUNT, "the signals came too late to show anything"
        stream.await_commits()
        worker.stop()
        reports = [line for line in worker.log.splitlines() if "state: ready; " in line]
        assert len(reports) == 2
        assert_log_is_clean(worker, cluster)
    assert_accounted_for(stream.inputs(), stream.outputs())
