import asyncio
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

import sluicegate.agents.gate.agent
from sluicegate.agents.deciding.live_models import load_models
from sluicegate.agents.gate.agent import Worker
from sluicegate.agents.settings import load_settings
from sluicegate.agents.telemetry import Telemetry
from tests.support.compiled import compiled_tiny

PARTITION = ("queries.raw", 0)
OFFSETS = count()


@dataclass
class Event:
    """What the worker sees of one of Faust's events."""

    generation_id: int
    acked: bool = False
    message: SimpleNamespace = field(init=False)

    def __post_init__(self) -> None:
        self.message = SimpleNamespace(generation_id=self.generation_id)

    def ack(self) -> None:
        self.acked = True


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_tiny(tmp_path_factory.mktemp("models") / "tiny", "embedded")


@pytest.fixture
def worker(model: Path) -> Worker:
    settings = load_settings(model=model)
    telemetry = Telemetry.start(otlp_endpoint=None, sample_ratio=1, service_version="0", instance_id="test")
    return Worker(settings, load_models(settings), telemetry)


async def finish(worker: Worker, event: Event) -> None:
    worker._tracker.complete(await worker._tracker.register(event, PARTITION, next(OFFSETS)))


async def test_only_events_of_the_present_assignment_are_acked(worker: Worker) -> None:
    worker.app.consumer_generation_id = 2
    events = [Event(1), Event(2), Event(2)]
    for event in events:
        await finish(worker, event)
    assert [event.acked for event in events] == [False, True, True]


async def test_once_an_event_has_no_outcome_no_later_one_is_acked(worker: Worker) -> None:
    worker.app.consumer_generation_id = 1
    before, in_flight, after = Event(1), Event(1), Event(1)
    await finish(worker, before)
    registered = await worker._tracker.register(in_flight, PARTITION, next(OFFSETS))

    await worker._stop_without_acking(RuntimeError("no outcome"))
    worker._tracker.complete(registered)
    await finish(worker, after)

    assert [event.acked for event in (before, in_flight, after)] == [True, False, False]
    assert worker.app.crashed


async def test_a_worker_whose_oldest_event_is_late_is_neither_alive_nor_ready(worker: Worker) -> None:
    assert worker._health() == []
    registered = await worker._tracker.register(Event(1), PARTITION, next(OFFSETS))
    assert worker._health() == []
    registered.since -= worker._settings.longest_event_s + 11
    [problem] = worker._health()
    assert problem.startswith("an event has been in flight for 51 s, 50 are allowed")
    assert problem in worker._readiness()


async def test_a_worker_whose_commits_do_not_come_through_is_neither_alive_nor_ready(worker: Worker) -> None:
    worker.app.consumer._committing_since = time.monotonic() - worker._settings.longest_event_s
    assert worker._health() == []
    worker.app.consumer._committing_since -= 11
    [problem] = worker._health()
    assert problem.startswith("nothing could be committed for 51 s, 50 are allowed")
    assert problem in worker._readiness()


def test_a_worker_that_has_not_begun_says_what_is_missing(worker: Worker) -> None:
    assert worker._readiness() == ["the model is not loaded yet", "the group is not joined yet"]


async def test_a_worker_that_is_not_ready_says_why_again_and_again(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sluicegate.agents.gate.agent, "_TELL_EVERY_S", 0.001)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(worker.tell_when_not_ready(), 0.5)
    assert len(caplog.messages) > 1
    assert set(caplog.messages) == {"not ready: the model is not loaded yet; the group is not joined yet"}
