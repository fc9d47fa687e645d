"""The registry on disk: what is in use, what is tried beside it, and the way back."""

import shutil
from pathlib import Path

import pytest

from sluicegate.models.artifacts.manifest import WEIGHTS_FILE, read_manifest
from sluicegate.models.artifacts.registry import DEPLOYMENT_FILE, Registry, ServedModels, served_from
from sluicegate.schemas.errors import CompiledModelError, ContractError


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


def test_a_model_put_in_use_is_copied_and_served(registry: Registry, first: Path) -> None:
    version = registry.use(str(first))
    assert version == read_manifest(first).model_version
    assert served_from(registry.folder) == ServedModels(registry.folder / version)
    assert (registry.folder / version / WEIGHTS_FILE).read_bytes() == (first / WEIGHTS_FILE).read_bytes()


def test_a_compiled_model_alone_is_served_as_it_is(first: Path) -> None:
    assert served_from(first) == ServedModels(first)


def test_rolling_back_goes_to_the_version_before_and_no_farther(registry: Registry, first: Path, second: Path) -> None:
    versions = [registry.use(str(first)), registry.use(str(second))]
    assert registry.roll_back() == versions[0]
    assert registry.deployment().versions == (versions[0],)
    with pytest.raises(ContractError, match="nothing to roll back to"):
        registry.roll_back()


def test_using_an_old_version_again_makes_it_the_last(registry: Registry, first: Path, second: Path) -> None:
    old, new = registry.use(str(first)), registry.use(str(second))
    registry.use(old)
    assert registry.deployment().versions == (new, old)


def test_a_trial_ends_by_rolling_back_or_by_use(registry: Registry, first: Path, second: Path) -> None:
    in_use = registry.use(str(first))
    candidate = registry.try_out(str(second), "canary", 0.25)
    assert registry.served() == ServedModels(registry.folder / in_use, registry.folder / candidate, "canary", 0.25)
    assert registry.roll_back() == in_use
    assert registry.served() == ServedModels(registry.folder / in_use)
    registry.try_out(candidate, "shadow", 1)
    registry.use(candidate)
    assert registry.served() == ServedModels(registry.folder / candidate)


def test_the_model_in_use_is_not_tried_beside_itself(registry: Registry, first: Path) -> None:
    version = registry.use(str(first))
    with pytest.raises(ContractError, match="is in use"):
        registry.try_out(version, "canary", 0.5)


def test_a_damaged_model_is_not_admitted(registry: Registry, first: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(first, damaged)
    (damaged / WEIGHTS_FILE).write_bytes(b"no weights")
    with pytest.raises(CompiledModelError, match="damaged"):
        registry.use(str(damaged))
    assert not registry.folder.exists()


def test_what_is_no_model_is_said_to_be_none(registry: Registry) -> None:
    with pytest.raises(ContractError, match="neither a version of"):
        registry.use("nothing@000")
    with pytest.raises(CompiledModelError, match="is not a registry"):
        registry.roll_back()


@pytest.mark.parametrize("content", [b"{", b"{}", b'{"versions": []}', b'{"versions": ["a"], "canidate": null}'])
def test_a_broken_file_is_named_with_its_field(registry: Registry, content: bytes) -> None:
    registry.folder.mkdir()
    (registry.folder / DEPLOYMENT_FILE).write_bytes(content)
    with pytest.raises(CompiledModelError, match=r"deployment\.json: .*Correct that field"):
        registry.deployment()
