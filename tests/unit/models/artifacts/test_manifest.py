"""The manifest of a compiled model: what is written is what is read, and the version covers all that decides."""

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from sluicegate.models.artifacts.manifest import (
    MODEL_FILES,
    WORD_LISTS,
    Manifest,
    hash_files,
    read_manifest,
    verify_files,
    write_manifest,
)
from sluicegate.models.inference.labels import Category
from sluicegate.schemas.errors import CompiledModelError
from sluicegate.schemas.events import Threshold

HASHES: dict[str, str] = {name: hashlib.sha256(name.encode()).hexdigest() for name in MODEL_FILES}


def manifest(**changes: object) -> Manifest:
    fields: dict[str, object] = {
        "name": "tiny",
        "prompt_style": "embedded",
        "source": "tiny-checkpoint",
        "quantization": "int8",
        "files": HASHES,
        "parameters": 7,
        "labels_version": "1",
        "prompt_version": "2",
        "temperature": 1.5,
        "thresholds": {
            Category.VIOLENCE: Threshold(allow=0.2, block=0.9),
            Category.SPAM: Threshold(allow=0.5, block=1.1),
        },
        "compiler": "sluicegate 0.1.0, ctranslate2 4.8.5",
        "created_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    }
    return Manifest(**{**fields, **changes})  # type: ignore[arg-type]  # each test names the fields it is about


def write_files(folder: Path) -> Path:
    """Files whose hashes are those of `manifest`."""
    for name in MODEL_FILES:
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("qwen3guard-0.6b", "no such folder in the current directory. Give the path of its folder."),
        ("/nowhere/model", "no such folder. Give the path"),
        (".", "cannot read manifest.json (No such file or directory). Give the path"),
    ],
)
def test_a_name_that_is_no_folder_of_a_model_is_refused_with_the_remedy(
    folder: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CompiledModelError) as refused:
        read_manifest(Path(folder))
    assert str(refused.value).startswith(f"{folder} is not a compiled model: {reason}")


def test_a_manifest_reads_back_as_it_was_written(tmp_path: Path) -> None:
    write_manifest(tmp_path, manifest())
    assert read_manifest(tmp_path) == manifest()
    assert read_manifest(tmp_path).model_version == manifest().model_version
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_the_creation_time_is_written_as_rfc_3339_in_utc(tmp_path: Path) -> None:
    write_manifest(tmp_path, manifest())
    assert '"2026-01-02T03:04:05Z"' in (tmp_path / "manifest.json").read_text()


def test_the_model_version_is_the_name_and_twelve_hexadecimal_digits() -> None:
    assert re.fullmatch("tiny@[0-9a-f]{12}", manifest().model_version)


@pytest.mark.parametrize(
    "change",
    [
        *({"files": {**HASHES, name: "0" * 64}} for name in MODEL_FILES),
        {"files": {name: digest for name, digest in HASHES.items() if name != "lexicon.txt"}},
        {"temperature": 1.6},
        {"thresholds": {Category.VIOLENCE: Threshold(allow=0.2, block=0.9)}},
        {"prompt_style": "adapted"},
        {"prompt_version": "3"},
        {"labels_version": "2"},
    ],
    ids=str,
)
def test_whatever_decides_changes_the_version(change: dict[str, object]) -> None:
    assert manifest(**change).model_version != manifest().model_version


REORDERED: list[dict[str, object]] = [
    {"files": {name: HASHES[name] for name in reversed(MODEL_FILES)}},
    {"thresholds": {name: manifest().thresholds[name] for name in reversed(manifest().thresholds)}},
]


@pytest.mark.parametrize(
    "change",
    [*REORDERED, {"created_at": datetime(2027, 1, 1, tzinfo=UTC)}, {"compiler": "sluicegate 9"}],
    ids=["order of files", "order of thresholds", "time", "compiler"],
)
def test_what_decides_nothing_keeps_the_version(change: dict[str, object]) -> None:
    assert manifest(**change).model_version == manifest().model_version


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("prompt_style", "chatty", "$.prompt_style"),
        ("quantization", "int4", "$.quantization"),
        ("files", {**HASHES, "model.bin": "123"}, "$.files"),
        ("files", {**HASHES, "../../etc/passwd": "0" * 64}, "$.files"),
        ("files", {"model.bin": "0" * 64}, "`files` lacks config.json, tokenizer.json, vocabulary.json"),
        ("temperature", 0, "$.temperature"),
        ("created_at", "2026-01-02T03:04:05", "$.created_at"),
        ("thresholds", {"hate": {"allow": 0.1, "block": 1}, "spam": {"allow": 0.9, "block": 0.1}}, "of 'spam': block"),
        ("thresholds", {"spam": {"allow": 1.5, "block": 2}}, "of 'spam': Expected `float` <= 1.0 - at `$.allow`"),
        ("thresholds", {"spam": {"block": 2}}, "threshold of 'spam': Object missing required field `allow`"),
        ("thresholds", {"rude": {"allow": 0.1, "block": 1}}, "'rude'"),
        ("format", 3, "format is 3"),
        ("format", 1, "Run `sluice models revise`"),
        ("name", "../../up", "$.name"),
        ("name", "/abs", "$.name"),
        ("name", ".hidden", "$.name"),
        ("name", "nul\0", "$.name"),
        ("name", "line\n", "$.name"),
        ("name", "", "$.name"),
        ("name", "n" * 181, "$.name"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, field: str, value: object, named: str) -> None:
    fields = msgspec.json.decode(msgspec.json.encode(manifest()), type=dict[str, object])
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode({**fields, field: value}))
    with pytest.raises(CompiledModelError, match=re.escape(named)) as caught:
        read_manifest(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"{}", b'{"format":' + b"[" * 100_000])
def test_what_is_not_a_manifest_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(CompiledModelError, match=r"manifest\.json: .+ Correct that field") as caught:
        read_manifest(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_enormous_manifest_is_not_read_into_memory(tmp_path: Path) -> None:
    with (tmp_path / "manifest.json").open("wb") as file:
        file.truncate(10_000_000_000)
    with pytest.raises(CompiledModelError, match="more than 1000000 bytes"):
        read_manifest(tmp_path)


def test_a_folder_without_a_manifest_is_not_a_compiled_model(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nul\0"):
        with pytest.raises(CompiledModelError, match="is not a compiled model"):
            read_manifest(folder)


def test_files_that_match_their_hashes_are_accepted(tmp_path: Path) -> None:
    verify_files(write_files(tmp_path), manifest())
    assert hash_files(tmp_path) == HASHES


@pytest.mark.parametrize("name", [name for name in MODEL_FILES if name not in WORD_LISTS])
def test_a_file_that_changed_or_is_missing_is_refused_by_name(tmp_path: Path, name: str) -> None:
    path = write_files(tmp_path) / name
    path.write_bytes(b"something else")
    with pytest.raises(CompiledModelError, match=re.escape(f"{path} is damaged")):
        verify_files(tmp_path, manifest())
    path.unlink()
    with pytest.raises(CompiledModelError, match=re.escape(f"cannot read {path}")):
        verify_files(tmp_path, manifest())


def test_a_lexicon_that_was_changed_or_added_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (write_files(tmp_path) / "lexicon.txt").write_bytes(b"word 1\n")
    without = manifest(files={name: digest for name, digest in HASHES.items() if name != "lexicon.txt"})
    for expected in (manifest(), without):
        with pytest.raises(CompiledModelError, match=re.escape(f"run `sluice models revise {tmp_path}`")):
            verify_files(tmp_path, expected)
