import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

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


async def test_the_state_shows_the_age_of_the_oldest_event_in_flight(worker: Worker) -> None:
    assert (worker.state().in_flight, worker.state().oldest_event_s) == (0, 0)
    registered = await worker._tracker.register(Event(1), PARTITION, next(OFFSETS))
    registered.since -= 51
    assert (worker.state().in_flight, round(worker.state().oldest_event_s)) == (1, 51)


async def test_the_state_shows_for_how_long_a_commit_is_late(worker: Worker) -> None:
    assert worker.state().commit_late_s == 0
    worker.app.consumer._committing_since = time.monotonic() - 51
    assert round(worker.state().commit_late_s) == 51


def test_the_state_before_the_start_has_no_models_and_no_group(worker: Worker) -> None:
    state = worker.state()
    assert (state.models, state.joined, state.stopping) == (None, False, False)
