"""Policies that change while a gate is open."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from sluicegate.agents.deciding import settled_files
from sluicegate.agents.deciding.live_policies import LivePolicies
from sluicegate.agents.settings import load_settings
from sluicegate.schemas.errors import ConfigurationError, PolicyFileError

POLICY = 'name = "shop"\n[list.banned]\naction = "block"\ncategory = "spam"\nfile = "banned.txt"\n'


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settled_files, "LOOK_EVERY_S", 0.05)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    (tmp_path / "banned.txt").write_text("casino\n")
    return path


def loaded(policy: Path) -> LivePolicies:
    return LivePolicies.load(load_settings(policy=policy))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the follower announces nothing
            await asyncio.sleep(0.01)


def write(policy: Path, text: str) -> None:
    policy.write_text(text)


def bans(policies: LivePolicies, term: str) -> bool:
    return bool(policies.in_use.lists.find(term, None))


async def test_a_changed_list_is_in_use_within_seconds(policy: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with loaded(policy).following() as policies:
        before = policies.in_use
        (policy.parent / "banned.txt").write_text("casino\nlottery\n")
        await until(lambda: bans(policies, "lottery"))
        assert not before.lists.find("lottery", None)
        assert caplog.messages == [f"deciding by the policy {policies.description}"]
        write(policy, POLICY.replace('"shop"', '"market"'))
        await until(lambda: (policies.description or "").startswith("market@"))


async def test_a_broken_file_changes_nothing_and_is_said_once(policy: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with loaded(policy).following() as policies:
        before = policies.in_use
        write(policy, POLICY.replace("block", "deny"))
        await until(lambda: bool(policies.warnings()))
        assert policies.in_use is before
        assert "list.banned.action: 'deny' is unknown" in policies.warnings()[0]
        write(policy, POLICY)
        await until(lambda: not policies.warnings())
    [line] = caplog.messages
    assert "as before" in line
    assert "list.banned.action: 'deny' is unknown" in line


async def test_a_list_file_that_was_missing_is_noticed_when_it_comes(policy: Path) -> None:
    async with loaded(policy).following() as policies:
        (policy.parent / "banned.txt").unlink()
        await until(lambda: bool(policies.warnings()))
        assert bans(policies, "casino")
        (policy.parent / "banned.txt").write_text("lottery\n")
        await until(lambda: bans(policies, "lottery"))
        assert policies.warnings() == []


async def test_a_change_between_loading_and_following_is_noticed(policy: Path) -> None:
    policies = loaded(policy)
    (policy.parent / "banned.txt").write_text("lottery\n")
    async with policies.following():
        await until(lambda: bans(policies, "lottery"))


async def test_without_a_file_there_is_nothing_to_follow() -> None:
    async with LivePolicies.load(load_settings()).following() as policies:
        assert policies.in_use.file is None
        assert policies.description is None
        assert policies.warnings() == []
        assert policies.shadow("event") is None


def test_a_broken_file_is_refused_at_the_start(policy: Path) -> None:
    policy.write_text("name")
    with pytest.raises(PolicyFileError, match="is not TOML"):
        loaded(policy)


def test_thresholds_have_one_source(policy: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"SLUICE_THRESHOLDS and SLUICE_POLICY exclude each other: write"):
        load_settings(policy=policy, thresholds={"hate": {"allow": 0.1, "block": 0.2}})
