"""`sluice models`: states, policies, revisions, and what is refused."""

import shutil
from pathlib import Path

import orjson
import pytest

from sluicegate.agents.settings import EMBEDDED_MODEL
from sluicegate.models.artifacts.deployment import DEPLOYMENT_FILE
from sluicegate.models.artifacts.manifest import read_manifest
from sluicegate.models.artifacts.registry import Registry
from tests.support.command import sluice


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path / "registry")
    registry.use(str(EMBEDDED_MODEL))
    return registry


def shown(*arguments: str | Path) -> str:
    finished = sluice("models", *arguments)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.decode()


def test_your_own_words_and_thresholds_are_tried_used_and_rolled_back(registry: Registry, tmp_path: Path) -> None:
    old = registry.deployment().versions[0]
    copy = shutil.copytree(EMBEDDED_MODEL, tmp_path / "copy")
    with (copy / "lexicon.txt").open("a") as lexicon:
        lexicon.write("aspesi 20000\n")
    refused = sluice("models", "use", copy, "--registry", registry.folder)
    assert refused.returncode == 78
    assert f"run `sluice models revise {copy}`" in refused.stderr.decode()
    revised = shown("revise", copy).split()[0]
    manifest = orjson.loads((copy / "manifest.json").read_bytes())
    manifest["thresholds"]["spam"] = {"allow": 0.01, "block": 0.99}
    (copy / "manifest.json").write_bytes(orjson.dumps(manifest))
    new = read_manifest(copy).model_version
    assert len({old, revised, new}) == 3
    listed = shown("canary", copy, "--share", "0.1", "--registry", registry.folder)
    row = next(line for line in listed.splitlines() if new in line)
    assert "canary 10.00%" in row
    assert "lexicon.txt" in listed
    assert "thresholds" in listed
    assert "review 0.01 to 0.30" in listed
    assert "in use" in next(line for line in listed.splitlines() if old in line)
    shown("use", new, "--registry", registry.folder)
    info = shown("info", "--registry", registry.folder)
    assert new in info
    assert "review from 0.01, block from 0.99" in info
    assert registry.deployment().since is not None
    shown("rollback", "--registry", registry.folder)
    assert registry.deployment().versions == (old,)


def test_what_cannot_be_served_is_listed_with_its_reason_and_cannot_be_used(registry: Registry) -> None:
    version = registry.deployment().versions[0]
    (registry.folder / version / "vocabulary.json").write_bytes(b"[]")
    listed = shown("list", "--registry", registry.folder)
    assert f"{version} cannot be served" in " ".join(listed.split())
    assert "vocabulary.json is damaged" in " ".join(listed.split())
    refused = sluice("models", "use", version, "--registry", registry.folder)
    assert refused.returncode == 78
    assert refused.stderr.count(b"\n") == 1


def test_a_version_in_a_registry_is_not_revised(registry: Registry) -> None:
    refused = sluice("models", "revise", registry.served().model)
    assert refused.returncode == 78
    assert "is in a registry, where versions never change" in refused.stderr.decode()


def test_a_broken_deployment_is_one_line(registry: Registry) -> None:
    (registry.folder / DEPLOYMENT_FILE).write_bytes(b"\0" * 4096)
    for command in ("list", "rollback"):
        refused = sluice("models", command, "--registry", registry.folder)
        assert refused.returncode == 78
        assert refused.stderr.count(b"\n") == 1
        assert b"deployment.json" in refused.stderr


@pytest.mark.parametrize("option", ["--prompt-style", "--profile"])
def test_the_old_names_of_the_prompt_style_still_work(tmp_path: Path, option: str) -> None:
    missing = sluice("models", "compile", tmp_path / "nowhere", tmp_path / "out", option, "tuned")
    assert b"is not a folder" in missing.stderr
    wrong = sluice("models", "compile", tmp_path / "nowhere", tmp_path / "out", option, "chatty")
    assert wrong.returncode == 2
    assert b"embedded" in wrong.stderr
    assert b"--profile" not in sluice("models", "compile", "--help").stdout


def test_a_model_that_is_not_known_is_refused_by_name_and_nothing_is_fetched(tmp_path: Path) -> None:
    refused = sluice("models", "pull", "qwen3-2b", "--out", tmp_path / "out")
    assert refused.returncode == 78
    assert "'qwen3-2b' is not a model: give a hub id" in refused.stderr.decode()
    assert not (tmp_path / "out").exists()
