"""The log of a worker that SIGTERM stops while nothing is wrong."""

from pathlib import Path

import orjson
import pytest

from sluicegate.models.artifacts.registry import Registry
from tests.support.compiled import compiled_tiny
from tests.support.worker_process import Stream, WorkerProcess, run_worker, wait_for

GROUP_IS_NEW = "has committed nothing of partitions"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    registry = Registry(folder / "registry")
    registry.use(str(compiled_tiny(folder / "tiny", "embedded")))
    return registry.folder


def alarms(worker: WorkerProcess) -> list[str]:
    """What a worker logged after SIGTERM above the level INFO; that its group is new may be said late."""
    lines = [orjson.loads(line) for line in worker.log.partition("SIGTERM received")[2].splitlines()[1:]]
    return [
        f"{line['level']} {line['logger']}: {line['message']}"
        for line in lines
        if line["level"] not in {"DEBUG", "INFO"} and GROUP_IS_NEW not in line["message"]
    ]


def test_a_worker_that_is_drained_logs_no_warning_and_no_error(stream: Stream, registry: Path, tmp_path: Path) -> None:
    stream.produce([(None, b'{"query": "red shoes"}', [])] * 20)
    with run_worker(stream, tmp_path, model=registry) as worker:
        wait_for(lambda: stream.ledger_count() == 20, 60, "the worker does not work")
        worker.stop()
        assert "SIGTERM received" in worker.log
        assert alarms(worker) == []
