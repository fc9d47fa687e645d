"""A model that fails: refused at start where it can be, and else never silently."""

from pathlib import Path

import numpy as np
import pytest

from agents.decider import Decider, load_engine
from agents.settings import load_settings
from models.engine import Engine
from schemas.errors import CompiledModelError
from tests.compiled import compiled_tiny, edit_manifest


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A model whose every probability is infinite, and which loads all the same."""
    folder = compiled_tiny(tmp_path / "model", "tuned")
    edit_manifest(folder, temperature=1e-42)
    return folder


def test_a_model_that_cannot_judge_is_refused_before_it_serves(broken: Path) -> None:
    with np.errstate(all="ignore"), pytest.raises(CompiledModelError, match=r"cannot judge: .* not finite"):
        load_engine(load_settings(model=broken))


@pytest.mark.filterwarnings("ignore:overflow")
async def test_a_failing_model_is_logged_once_for_many_events(broken: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = load_settings(model=broken)
    async with Decider[None].running(Engine(broken), settings) as decider:
        decisions = [await decider.decide(f"red shoes {n}", None) for n in range(5)]
    assert {decision.degraded for decision in decisions} == {"EngineFailed"}
    [line] = [record.getMessage() for record in caplog.records if record.name == "agents.decider"]
    assert line.startswith("deciding without the model (fail closed): EngineFailed: ")
    assert "red shoes" not in line
