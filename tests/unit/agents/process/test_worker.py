import time
from pathlib import Path

import pytest

from sluicegate.agents.gate.agent import gate_agent
from sluicegate.agents.gate.pipeline import Pipeline
from sluicegate.agents.process.worker import Worker
from sluicegate.agents.settings import load_settings
from sluicegate.agents.telemetry import Telemetry
from tests.support.compiled import compiled_tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_tiny(tmp_path_factory.mktemp("models") / "tiny", "embedded")


@pytest.fixture
def worker(model: Path) -> Worker[Pipeline]:
    settings = load_settings(model=model)
    telemetry = Telemetry.start(otlp_endpoint=None, sample_ratio=1, service_version="0", instance_id="test")
    agent = gate_agent(settings)
    return Worker(settings, agent, agent.load(), telemetry)


async def test_the_state_shows_the_age_of_the_oldest_event_in_flight(worker: Worker[Pipeline]) -> None:
    assert (worker.state().in_flight, worker.state().oldest_event_s) == (0, 0)
    registered = await worker._source._tracker.register(object(), ("queries.raw", 0), 0)
    registered.since -= 51
    assert (worker.state().in_flight, round(worker.state().oldest_event_s)) == (1, 51)


async def test_the_state_shows_for_how_long_a_commit_is_late(worker: Worker[Pipeline]) -> None:
    assert worker.state().commit_late_s == 0
    worker.app.consumer._committing_since = time.monotonic() - 51
    assert round(worker.state().commit_late_s) == 51


def test_the_state_before_the_start_has_no_models_and_no_group(worker: Worker[Pipeline]) -> None:
    state = worker.state()
    assert (state.models, state.joined, state.stopping) == (None, False, False)
