"""New versions of a model that differ in lexicon or policy."""

import shutil
from pathlib import Path

import orjson
import pytest

from sluicegate.agents.settings import EMBEDDED_MODEL
from sluicegate.models.artifacts.manifest import read_manifest, verify_files
from sluicegate.models.artifacts.revision import copy_with_policy, revise
from sluicegate.models.inference.engine import Engine
from sluicegate.models.inference.labels import Category
from sluicegate.schemas.errors import CompiledModelError, ConfigurationError
from sluicegate.schemas.events import Threshold


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return shutil.copytree(EMBEDDED_MODEL, tmp_path / "copy")


def test_words_added_to_a_copy_are_known_and_make_a_new_version(copy: Path) -> None:
    before = Engine(copy)
    with (copy / "lexicon.txt").open("a") as lexicon:
        lexicon.write("aspesi 20000\n")
    with pytest.raises(CompiledModelError, match="sluice models revise"):
        Engine(copy)
    manifest = revise(copy)
    after = Engine(copy)
    assert after.manifest == manifest
    assert after.manifest.model_version != before.manifest.model_version


@pytest.mark.parametrize("line", ["Word", "word many", "two words 5", "word -3", "word 0", "word 5 extra"])
def test_a_broken_line_of_the_lexicon_is_named_and_changes_nothing(copy: Path, line: str) -> None:
    before = read_manifest(copy)
    (copy / "lexicon.txt").write_text(f"# ours\nshoes 9\n{line}\naspesi\n")
    with pytest.raises(
        CompiledModelError, match=r"lexicon\.txt, line 3: .* must be a word in lower case, with a count"
    ):
        revise(copy)
    assert read_manifest(copy) == before


def test_a_change_of_anything_but_the_lexicon_is_damage(copy: Path) -> None:
    (copy / "vocabulary.json").write_bytes(b"[]")
    with pytest.raises(CompiledModelError, match=r"vocabulary\.json is damaged"):
        revise(copy)


def test_a_folder_of_format_1_is_upgraded_once_its_weights_are_checked(copy: Path) -> None:
    manifest = orjson.loads((copy / "manifest.json").read_bytes())
    weights = manifest.pop("files")["model.bin"]
    manifest.pop("prompt_style")
    old = {**manifest, "format": 1, "profile": "embedded", "weights_sha256": weights}
    (copy / "manifest.json").write_bytes(orjson.dumps(old))
    with pytest.raises(CompiledModelError, match="format 1 covers the weights only"):
        Engine(copy)
    assert revise(copy).model_version == read_manifest(EMBEDDED_MODEL).model_version
    assert Engine(copy).manifest.prompt_style == "embedded"
    (copy / "manifest.json").write_bytes(orjson.dumps({**old, "weights_sha256": "0" * 64}))
    with pytest.raises(CompiledModelError, match=r"model\.bin is damaged"):
        revise(copy)


def test_a_copy_with_another_policy_is_a_version_of_its_own_and_leaves_the_source_alone(tmp_path: Path) -> None:
    before = read_manifest(EMBEDDED_MODEL)
    manifest = copy_with_policy(EMBEDDED_MODEL, tmp_path / "new", 3.0, {Category.SPAM: Threshold(allow=0.1, block=0.9)})
    verify_files(tmp_path / "new", manifest)
    assert read_manifest(tmp_path / "new") == manifest
    assert (manifest.temperature, manifest.files) == (3.0, before.files)
    assert manifest.model_version != before.model_version
    assert read_manifest(EMBEDDED_MODEL) == before
    with pytest.raises(ConfigurationError, match="cannot write"):
        copy_with_policy(EMBEDDED_MODEL, tmp_path / "new", 3.0, {})
