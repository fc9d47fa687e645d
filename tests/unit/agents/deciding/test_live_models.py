"""Exchanging models while queries are being decided, and trying one on a share of the events."""

import asyncio
import gc
import os
import shutil
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sluicegate.agents import background
from sluicegate.agents.deciding import live_models as live_models_module
from sluicegate.agents.deciding import model_loading
from sluicegate.agents.deciding.decision import Decision
from sluicegate.agents.deciding.live_models import LiveModels, load_models
from sluicegate.agents.settings import load_settings
from sluicegate.models.artifacts.deployment import DEPLOYMENT_FILE
from sluicegate.models.artifacts.manifest import WEIGHTS_FILE, hash_files, read_manifest, write_manifest
from sluicegate.models.artifacts.registry import Registry
from sluicegate.models.artifacts.revision import copy_with_policy
from sluicegate.models.artifacts.sampling import falls_within
from tests.support.tokenizers import PANICKING_BPE, edit_tokenizer


@pytest.fixture
def registry(tmp_path: Path, first: Path) -> Registry:
    registry = Registry(tmp_path / "registry")
    registry.use(str(first))
    return registry


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_models_module, "_LOOK_EVERY_S", 0.1)


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


async def test_a_model_that_cannot_be_loaded_changes_nothing_and_is_reported(
    registry: Registry, second: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load_settings(model=registry.folder)
    async with LiveModels[None].running(load_models(settings), settings) as live_models:
        before = version_of(live_models)
        broken = registry.use(str(second))
        (registry.folder / broken / WEIGHTS_FILE).write_bytes(b"damaged")
        await until(lambda: "as before" in caplog.text)
        assert version_of(live_models) == before
        assert f"refused {broken}" in live_models.description
        assert not (await live_models.choose("x").decide("still here", None)).degraded


async def test_a_candidate_that_cannot_be_loaded_does_not_block_a_good_model(
    registry: Registry, first: Path, second: Path, tmp_path: Path
) -> None:
    settings = load_settings(model=registry.folder)
    async with LiveModels[None].running(load_models(settings), settings) as live_models:
        candidate = registry.try_out(str(second), "canary", 0.5)
        (registry.folder / candidate / WEIGHTS_FILE).write_bytes(b"damaged")
        await until(lambda: bool(live_models.problems()))
        for number in range(3):
            copy = tmp_path / f"copy-{number}"
            copy_with_policy(first, copy, 2.0 + number, {})
            version = await asyncio.to_thread(registry.use, str(copy))
            await until(lambda version=version: version_of(live_models) == version)  # type: ignore[misc]
            await live_models.choose("x").decide("red shoes", None)
        assert f"refused {candidate}" in live_models.description
        await until(lambda: not live_models._retiring)
        await until(lambda: sum(thread.name.startswith("engine") for thread in threading.enumerate()) == 1)
        assert len(live_models._running) == 1


async def test_a_worker_starts_without_a_candidate_that_cannot_be_loaded(registry: Registry, second: Path) -> None:
    candidate = registry.try_out(str(second), "shadow", 1)
    weights = registry.folder / candidate / WEIGHTS_FILE
    good = weights.read_bytes()
    weights.write_bytes(b"damaged")
    settings = load_settings(model=registry.folder)
    async with LiveModels[None].running(load_models(settings), settings) as live_models:
        assert live_models.shadow("x") is None
        weights.write_bytes(good)
        await until(lambda: live_models.shadow("x") is not None)


async def test_a_model_that_was_refused_while_it_was_copied_is_tried_again_when_its_files_change(
    registry: Registry, second: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load_settings(model=registry.folder)
    async with LiveModels[None].running(load_models(settings), settings) as live_models:
        arriving = registry.use(str(second))
        weights = registry.folder / arriving / WEIGHTS_FILE
        content = weights.read_bytes()
        weights.write_bytes(content[:100])
        await until(lambda: f"refused {arriving}" in live_models.description)
        for end in range(1_000, len(content), len(content) // 10):
            weights.write_bytes(content[:end])
            await asyncio.sleep(0.05)
        weights.write_bytes(content)
        await until(lambda: version_of(live_models) == arriving)
        assert live_models.problems() == []
        assert caplog.text.count("cannot load") == 1


async def test_a_memory_shortage_is_survived_and_the_model_tried_again(
    registry: Registry, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(model=registry.folder)
    async with LiveModels[None].running(load_models(settings), settings) as live_models:
        with monkeypatch.context() as short:
            short.setattr(model_loading, "_FIRST_PAUSE_S", 0.3)
            short.setattr(model_loading, "load_engine", _no_memory)
            version = await asyncio.to_thread(registry.use, str(second))
            await until(lambda: "MemoryError" in live_models.description)
        await until(lambda: version_of(live_models) == version)


def _no_memory(*_: object) -> None:
    raise MemoryError


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\0" * 4096,
        b'{"versions": ["a\\u0000b@000000000000"]}',
        b'{"versions": ["../../../etc@000000000000"]}',
        b'{"versions": ' + b"[" * 900_000,
        b" " * 2_000_000,
        b'{"versions": ["gone@000000000000"]}',
        None,
    ],
    ids=[
        "empty",
        "cut",
        "NUL bytes",
        "NUL in a name",
        "a path",
        "deep",
        "huge",
        "a version that is missing",
        "no file",
    ],
)
async def test_no_content_of_the_deployment_file_stops_the_follower(
    registry: Registry, second: Path, content: bytes | None
) -> None:
    settings = load_settings(model=registry.folder)
    file = registry.folder / DEPLOYMENT_FILE
    good = file.read_bytes()
    async with LiveModels[None].running(load_models(settings), settings) as live_models:
        before = version_of(live_models)
        file.unlink()
        if content is not None:
            file.write_bytes(content)
        await until(lambda: bool(live_models.problems()))
        assert version_of(live_models) == before
        file.write_bytes(good)
        await until(lambda: live_models.problems() == [])
        after = await asyncio.to_thread(registry.use, str(second))
        await until(lambda: version_of(live_models) == after)


async def test_a_pipe_in_place_of_the_deployment_file_does_not_hold_the_follower(
    registry: Registry, second: Path
) -> None:
    settings = load_settings(model=registry.folder)
    file = registry.folder / DEPLOYMENT_FILE
    good = file.read_bytes()
    async with LiveModels[None].running(load_models(settings), settings) as live_models:
        file.unlink()
        os.mkfifo(file)  # to open it would wait for a writer
        await until(lambda: bool(live_models.problems()))
        file.unlink()
        file.write_bytes(good)
        after = await asyncio.to_thread(registry.use, str(second))
        await until(lambda: version_of(live_models) == after)


async def test_a_model_on_which_the_tokenizer_panics_is_refused_and_the_next_one_served(
    registry: Registry, first: Path, second: Path, tmp_path: Path
) -> None:
    settings = load_settings(model=registry.folder)
    panics = tmp_path / "panics"
    shutil.copytree(first, panics)
    edit_tokenizer(panics, lambda document: document.update(model=PANICKING_BPE))
    write_manifest(panics, replace(read_manifest(panics), files=hash_files(panics)))
    async with LiveModels[None].running(load_models(settings), settings) as live_models:
        await asyncio.to_thread(registry.use, str(panics))
        await until(lambda: bool(live_models.problems()))
        assert "slice index" in live_models.description
        after = await asyncio.to_thread(registry.use, str(second))
        await until(lambda: version_of(live_models) == after)


async def test_a_follower_that_fails_is_reported_and_restarted(
    registry: Registry, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "FIRST_PAUSE_S", 0.2)
    settings = load_settings(model=registry.folder)
    async with LiveModels[None].running(load_models(settings), settings) as live_models:
        with monkeypatch.context() as broken:
            broken.setattr(live_models_module, "fingerprint", _no_memory)
            await until(lambda: "the model follower has failed" in live_models.description)
        after = await asyncio.to_thread(registry.use, str(second))
        await until(lambda: version_of(live_models) == after)


async def test_an_exchanged_model_is_freed_without_the_garbage_collector(registry: Registry, second: Path) -> None:
    settings = load_settings(model=registry.folder)
    gc.collect()
    gc.disable()
    try:
        async with LiveModels[None].running(load_models(settings), settings) as live_models:
            engine = weakref.ref(live_models.in_use.engine)
            await live_models.choose("x").decide("red shose", None)
            after = await asyncio.to_thread(registry.use, str(second))
            await until(lambda: version_of(live_models) == after)
            await until(lambda: engine() is None)
    finally:
        gc.enable()


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
