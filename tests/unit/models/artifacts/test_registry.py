"""The registry on disk: models in use and on trial, rollback, and what is refused."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import orjson
import pytest

from sluicegate.models.artifacts.deployment import DEPLOYMENT_FILE
from sluicegate.models.artifacts.manifest import WEIGHTS_FILE, read_manifest
from sluicegate.models.artifacts.registry import Registry, ServedModels, served_from
from sluicegate.models.artifacts.revision import copy_with_policy
from sluicegate.models.inference.labels import Category
from sluicegate.schemas.errors import CompiledModelError, ContractError
from sluicegate.schemas.events import Threshold
from tests.support.compiled import edit_manifest


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
    with pytest.raises(ContractError, match="the only version that was ever in use"):
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


def test_since_when_a_version_is_in_use_or_on_trial_is_recorded(registry: Registry, first: Path, second: Path) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    registry.use(str(first))
    since = registry.deployment().since
    assert since is not None
    assert before <= since <= datetime.now(UTC)
    registry.try_out(str(second), "canary", 0.5)
    trial = registry.deployment()
    assert trial.since == since
    assert trial.candidate is not None
    assert trial.candidate.since is not None
    registry.use(str(first))
    assert registry.deployment() == trial


def test_a_deployment_without_times_still_reads(registry: Registry, first: Path) -> None:
    version = registry.use(str(first))
    (registry.folder / DEPLOYMENT_FILE).write_bytes(orjson.dumps({"versions": [version], "candidate": None}))
    assert registry.deployment().since is None


def test_a_change_of_policy_alone_is_a_version_to_use_try_and_roll_back(
    registry: Registry, first: Path, tmp_path: Path
) -> None:
    old = registry.use(str(first))
    stricter = tmp_path / "stricter"
    copy_with_policy(first, stricter, 2.0, {Category.SPAM: Threshold(allow=0.1, block=0.2)})
    new = registry.try_out(str(stricter), "canary", 0.5)
    assert new != old
    registry.use(new)
    assert read_manifest(registry.served().model).temperature == 2.0
    assert registry.roll_back() == old
    assert read_manifest(registry.served().model) == read_manifest(first)


def test_the_model_in_use_cannot_be_its_own_candidate(registry: Registry, first: Path) -> None:
    version = registry.use(str(first))
    with pytest.raises(ContractError, match="is the model in use"):
        registry.try_out(version, "canary", 0.5)


@pytest.mark.parametrize("name", [WEIGHTS_FILE, "vocabulary.json", "tokenizer.json", "config.json"])
def test_a_damaged_model_is_refused(registry: Registry, first: Path, tmp_path: Path, name: str) -> None:
    damaged = shutil.copytree(first, tmp_path / "damaged")
    (damaged / name).write_bytes(b"{}")
    with pytest.raises(CompiledModelError, match="damaged"):
        registry.use(str(damaged))
    assert not registry.folder.exists()


def test_a_vocabulary_shifted_by_one_entry_is_refused(registry: Registry, first: Path, tmp_path: Path) -> None:
    shifted = shutil.copytree(first, tmp_path / "shifted")
    tokens = orjson.loads((shifted / "vocabulary.json").read_bytes())
    (shifted / "vocabulary.json").write_bytes(orjson.dumps([*tokens[1:], tokens[0]]))
    with pytest.raises(CompiledModelError, match=r"vocabulary\.json is damaged"):
        registry.use(str(shifted))


def test_a_damaged_copy_in_the_registry_is_refused_at_once(registry: Registry, first: Path, second: Path) -> None:
    version = registry.use(str(first))
    registry.use(str(second))
    (registry.folder / version / WEIGHTS_FILE).write_bytes(b"damaged")
    before = registry.deployment()
    for model in (version, str(first)):
        with pytest.raises(CompiledModelError, match="damaged"):
            registry.use(model)
    with pytest.raises(CompiledModelError, match="damaged"):
        registry.roll_back()
    assert registry.deployment() == before


def test_a_version_whose_policy_was_edited_in_the_registry_is_refused(registry: Registry, first: Path) -> None:
    version = registry.use(str(first))
    edit_manifest(registry.folder / version, temperature=9.0)
    with pytest.raises(CompiledModelError, match="A version in a registry never changes"):
        registry.use(version)


def test_a_model_of_another_prompt_version_is_refused_at_once(registry: Registry, first: Path, tmp_path: Path) -> None:
    other = shutil.copytree(first, tmp_path / "other")
    edit_manifest(other, prompt_version="tuned-1")
    with pytest.raises(CompiledModelError, match="compiled for labels 1 and prompt tuned-1"):
        registry.use(str(other))


@pytest.mark.parametrize("name", ["../../up", "/abs", "..", "a/b"])
def test_a_model_whose_name_is_a_path_writes_nothing(
    registry: Registry, first: Path, tmp_path: Path, name: str
) -> None:
    evil = shutil.copytree(first, tmp_path / "evil")
    fields = orjson.loads((evil / "manifest.json").read_bytes())
    (evil / "manifest.json").write_bytes(orjson.dumps({**fields, "name": name}))
    with pytest.raises(CompiledModelError, match=r"\$\.name"):
        registry.use(str(evil))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil"]


def test_what_is_not_a_model_is_refused(registry: Registry, first: Path) -> None:
    for model in ("nothing@000", "", ".", "..", "nul\0"):
        with pytest.raises(ContractError, match="is neither a version in"):
            registry.use(model)
    with pytest.raises(CompiledModelError, match="is not a registry"):
        registry.roll_back()
    with pytest.raises(CompiledModelError, match="is not a registry"):
        registry.try_out(str(first), "canary", 0.1)
    assert not registry.folder.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"{}",
        b'{"versions": []}',
        b'{"versions": ["a@000000000000"], "canidate": null}',
        b'{"versions": ["../../etc"]}',
        b'{"versions": ["a@000000000000\\n"]}',
        b'{"versions": ["a\\u0000@000000000000"]}',
        b'{"versions": ["a@000000000000"], "candidate": {"version": "/abs", "mode": "canary", "share": 1}}',
        b'{"versions": ' + b"[" * 100_000,
        b"\xff\xfe",
        b"\0" * 100,
    ],
    ids=lambda content: repr(content[:60]),
)
def test_a_broken_file_is_named_with_its_field(registry: Registry, content: bytes) -> None:
    registry.folder.mkdir()
    (registry.folder / DEPLOYMENT_FILE).write_bytes(content)
    with pytest.raises(CompiledModelError, match=r"deployment\.json: .*Correct that field"):
        registry.deployment()


def test_all_models_are_listed_with_the_problems_of_some(registry: Registry, first: Path, second: Path) -> None:
    good, bad = registry.use(str(first)), registry.use(str(second))
    (registry.folder / bad / WEIGHTS_FILE).write_bytes(b"damaged")
    gone = "gone@000000000000"
    deployment = msgspec.structs.replace(registry.deployment(), versions=(gone, good, bad))
    (registry.folder / DEPLOYMENT_FILE).write_bytes(msgspec.json.encode(deployment))
    listed = {model.version: model.problem for model in registry.models()}
    assert listed.keys() == {gone, good, bad}
    assert listed[good] is None
    assert "damaged" in (listed[bad] or "")
    assert "is not a compiled model" in (listed[gone] or "")


def test_a_copy_that_was_killed_half_way_leaves_nothing(registry: Registry, first: Path, second: Path) -> None:
    registry.use(str(first))
    half = registry.folder / ".second@000000000000.4711.partial"
    shutil.copytree(second, half)
    registry.use(str(second))
    assert not half.exists()
    assert len(registry.models()) == 2


def test_commands_at_the_same_time_lose_no_change(registry: Registry, first: Path, tmp_path: Path) -> None:
    registry.use(str(first))
    copies = []
    for number in range(6):
        copies.append(tmp_path / f"copy-{number}")
        copy_with_policy(first, copies[-1], 2.0 + number, {})
    script = (
        "import sys, pathlib; from sluicegate.models.artifacts.registry import Registry\n"
        "Registry(pathlib.Path(sys.argv[1])).use(sys.argv[2])"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, registry.folder, copy]) for copy in copies]
    assert [process.wait(120) for process in running] == [0] * len(copies)
    expected = {read_manifest(folder).model_version for folder in (first, *copies)}
    assert set(registry.deployment().versions) == expected
    assert len(registry.deployment().versions) == len(expected)
