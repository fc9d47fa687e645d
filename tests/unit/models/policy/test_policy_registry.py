"""The registry of policies on disk: in use, in shadow, rolled back, and what is refused."""

from pathlib import Path

import pytest

from sluicegate.models.policy.policy_file import read_policy
from sluicegate.models.policy.registry import POLICY_FILE, PolicyRegistry
from sluicegate.models.policy.serving import policies_from
from sluicegate.schemas.errors import ContractError, PolicyFileError

POLICY = 'name = "{name}"\n[list.banned]\naction = "block"\ncategory = "spam"\nfile = "banned.txt"\n'


@pytest.fixture
def registry(tmp_path: Path) -> PolicyRegistry:
    return PolicyRegistry(tmp_path / "registry")


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return written(tmp_path, "first")


@pytest.fixture
def second(tmp_path: Path) -> Path:
    return written(tmp_path, "second")


def written(folder: Path, name: str) -> Path:
    (folder / "banned.txt").write_text("casino\n")
    path = folder / f"{name}.toml"
    path.write_text(POLICY.format(name=name))
    return path


def served(registry: PolicyRegistry) -> tuple[str | None, str | None, float]:
    found = policies_from(registry.folder)
    names = [policy.file.version if policy and policy.file else None for policy in (found.in_use, found.shadow)]
    return names[0], names[1], found.share


def test_a_policy_put_in_use_is_copied_with_its_lists_and_does_not_change_with_them(
    registry: PolicyRegistry, first: Path
) -> None:
    version = registry.use(str(first))
    assert version == read_policy(first).version
    (first.parent / "banned.txt").write_text("lottery\n")
    assert served(registry) == (version, None, 0.0)
    assert registry.read(version).lists[0].terms == ("casino",)


def test_a_trial_ends_by_use_or_by_rolling_back(registry: PolicyRegistry, first: Path, second: Path) -> None:
    old = registry.use(str(first))
    new = registry.try_out(str(second), 0.25)
    assert served(registry) == (old, new, 0.25)
    assert registry.roll_back() == old
    assert served(registry) == (old, None, 0.0)
    registry.try_out(new, 1)
    assert registry.use(new) == new
    assert served(registry) == (new, None, 0.0)
    assert registry.roll_back() == old
    assert served(registry) == (old, None, 0.0)
    with pytest.raises(ContractError, match="the only version that was ever in use"):
        registry.roll_back()


def test_a_broken_policy_is_refused_and_nothing_changes(registry: PolicyRegistry, first: Path, second: Path) -> None:
    old = registry.use(str(first))
    second.write_text("name")
    for put in (registry.use, lambda policy: registry.try_out(policy, 1)):
        with pytest.raises(PolicyFileError, match="is not TOML"):
            put(str(second))
    assert served(registry) == (old, None, 0.0)
    assert [policy.version for policy in registry.policies()] == [old]


def test_a_version_that_was_changed_is_not_served(registry: PolicyRegistry, first: Path, second: Path) -> None:
    old, new = registry.use(str(first)), registry.use(str(second))
    (registry.folder / old / "banned.txt").write_text("lottery\n")
    with pytest.raises(PolicyFileError, match="was changed: the policy is now first@"):
        registry.roll_back()
    assert served(registry) == (new, None, 0.0)
    [changed, _] = registry.policies()
    assert changed.problem
    (registry.folder / new / POLICY_FILE).unlink()
    with pytest.raises(PolicyFileError, match="cannot read the policy"):
        policies_from(registry.folder)


def test_only_another_policy_can_be_tried(registry: PolicyRegistry, first: Path) -> None:
    with pytest.raises(PolicyFileError, match=r"is not a registry.*sluice policy use"):
        registry.try_out(str(first), 1)
    version = registry.use(str(first))
    with pytest.raises(ContractError, match="is the policy in use"):
        registry.try_out(version, 1)


def test_what_is_neither_a_version_nor_a_file_is_refused(registry: PolicyRegistry, first: Path) -> None:
    registry.use(str(first))
    for other in ("nowhere@123456789abc", "../registry", ""):
        with pytest.raises(ContractError, match="neither a version"):
            registry.use(other)


def test_a_folder_in_which_nothing_is_in_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyFileError, match="is not a registry"):
        policies_from(tmp_path)
