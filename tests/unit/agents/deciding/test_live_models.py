"""Exchanging models while queries are being decided, and trying one on a share of the events."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.agents.deciding.decider import Decision
from sluicegate.agents.deciding.live_models import LiveModels, load_models
from sluicegate.agents.settings import load_settings
from sluicegate.models.artifacts.manifest import WEIGHTS_FILE
from sluicegate.models.artifacts.registry import Registry
from sluicegate.models.artifacts.revision import copy_with_policy
from sluicegate.models.artifacts.sampling import falls_within


@pytest.fixture
def registry(tmp_path: Path, first: Path) -> Registry:
    registry = Registry(tmp_path / "registry")
    registry.use(str(first))
    return registry


def version_of(live_models: LiveModels[None], event_id: str = "x") -> str:
    return live_models.choose(event_id).engine.manifest.model_version


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happened():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


async def test_models_are_exchanged_under_load_and_every_decision_comes_from_one_of_them(
    registry: Registry, second: Path
) -> None:
    settings = load_settings(model=registry.folder)
    async with LiveModels[None].running(load_models(settings), settings) as live_models:
        before = version_of(live_models)
        decided: list[tuple[str, Decision]] = []

        async def decide(number: int) -> None:
            decider = live_models.choose(str(number))
            decision = await decider.decide(f"query {number}", None)
            decided.append((decider.engine.manifest.model_version, decision))

        async with asyncio.TaskGroup() as tasks:
            for number in range(101):
                tasks.create_task(decide(number))
            after = await asyncio.to_thread(registry.use, str(second))
            async with asyncio.timeout(20):
                while version_of(live_models) == before:
                    tasks.create_task(decide(number := number + 1))
                    await asyncio.sleep(0.005)
            for later in range(100):
                tasks.create_task(decide(number + 1 + later))
        assert len(decided) == number + 101
        assert {version for version, _ in decided} == {before, after}
        assert not any(decision.degraded for _, decision in decided)
        await until(lambda: not live_models._retiring)


async def test_a_model_that_cannot_be_loaded_changes_nothing_and_is_logged(
    registry: Registry, second: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load_settings(model=registry.folder)
    async with LiveModels[None].running(load_models(settings), settings) as live_models:
        before = version_of(live_models)
        broken = registry.use(str(second))
        (registry.folder / broken / WEIGHTS_FILE).write_bytes(b"damaged")
        await until(lambda: "as before" in caplog.text)
        assert version_of(live_models) == before
        assert not (await live_models.choose("x").decide("still here", None)).degraded


async def test_a_change_of_policy_alone_is_a_version_that_workers_load(
    registry: Registry, first: Path, tmp_path: Path
) -> None:
    settings = load_settings(model=registry.folder)
    async with LiveModels[None].running(load_models(settings), settings) as live_models:
        before = version_of(live_models)
        copy_with_policy(first, tmp_path / "stricter", 2.5, {})
        after = await asyncio.to_thread(registry.use, str(tmp_path / "stricter"))
        await until(lambda: version_of(live_models) == after != before)
        assert live_models.in_use.engine.manifest.temperature == 2.5


async def test_a_canary_decides_its_share_and_a_shadow_none(registry: Registry, second: Path) -> None:
    candidate = registry.try_out(str(second), "canary", 0.3)
    settings = load_settings(model=registry.folder)
    events = [str(number) for number in range(2000)]
    async with LiveModels[None].running(load_models(settings), settings) as live_models:
        chosen = [event for event in events if version_of(live_models, event) == candidate]
        assert chosen == [event for event in events if falls_within(event, 0.3)]
        assert 0.25 < len(chosen) / len(events) < 0.35
        assert not any(live_models.shadow(event) for event in events)
        registry.try_out(candidate, "shadow", 0.3)
        await until(lambda: live_models.shadow(chosen[0]) is not None)
        assert [event for event in events if live_models.shadow(event)] == chosen
        assert not any(version_of(live_models, event) == candidate for event in events)
        registry.roll_back()
        await until(lambda: live_models.shadow(chosen[0]) is None)


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_holds_every_event_of_a_smaller_one(event_id: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert falls_within(event_id, 1)
    assert not falls_within(event_id, 0)
    assert falls_within(event_id, large) or not falls_within(event_id, small)
