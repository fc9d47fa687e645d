"""New versions of a compiled model that differ in its word lists or its policy. The weights stay as they are."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from sluicegate.models.artifacts.files import copy_folder, read_json_bytes
from sluicegate.models.artifacts.manifest import (
    MANIFEST_FILE,
    MANIFEST_FORMAT,
    WORD_LISTS,
    Manifest,
    PromptStyleName,
    hash_files,
    read_manifest,
    verify_files,
    write_manifest,
)
from sluicegate.models.inference.expansions import EXPANSIONS_FILE, Expansions
from sluicegate.models.inference.labels import Category
from sluicegate.models.text.word_list import OWN_WORDS_FILE, read_own_words
from sluicegate.schemas.errors import CompiledModelError, ConfigurationError
from sluicegate.schemas.events import Threshold

_PROMPT_STYLES_OF_FORMAT_1: Mapping[str, PromptStyleName] = {
    "tuned": "embedded",
    "adapted": "adapted",
    "zero_shot": "zero_shot",
}


class _Format1(msgspec.Struct):
    format: int
    profile: str = ""
    weights_sha256: str = ""


def copy_with_policy(
    source: Path,
    destination: Path,
    temperature: float,
    thresholds: Mapping[Category, Threshold],
    sum_bound: float | None = None,
) -> Manifest:
    """Copy the model in `source` to `destination`, which must not exist, with another temperature and thresholds.

    `sum_bound`: by default that of the model.

    Raises:
        ConfigurationError: the copy cannot be written.
    """
    before = read_manifest(source)
    manifest = msgspec.structs.replace(
        before,
        temperature=temperature,
        thresholds=dict(thresholds),
        sum_bound=before.sum_bound if sum_bound is None else sum_bound,
        created_at=_now(),
    )
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        copy_folder(source, destination)
        write_manifest(destination, manifest)
    except OSError as error:
        raise ConfigurationError(f"cannot write {destination}: {error.strerror or error}") from None
    return manifest


def revise(folder: Path) -> Manifest:
    """Record that the word lists in `folder`, a copy of a compiled model, were changed on purpose: a new version.

    A folder whose manifest has format 1 becomes one of format 2, once its weights are checked. Changed thresholds need
    no `revise`: they are in the manifest, so the version follows from them.

    Raises:
        CompiledModelError: another file differs, or a line of a word list is wrong.
    """
    manifest = _read_any_format(folder)
    files = hash_files(folder)
    edited = {name: digest for name, digest in files.items() if name in WORD_LISTS}
    unchanged = {name: digest for name, digest in manifest.files.items() if name not in WORD_LISTS}
    manifest = msgspec.structs.replace(manifest, files={**unchanged, **edited}, created_at=_now())
    verify_files(folder, manifest)
    if OWN_WORDS_FILE in edited:
        read_own_words(folder / OWN_WORDS_FILE)
    if EXPANSIONS_FILE in edited:
        Expansions.load(folder / EXPANSIONS_FILE)
    write_manifest(folder, manifest)
    return manifest


def _read_any_format(folder: Path) -> Manifest:
    path = folder / MANIFEST_FILE
    try:
        raw = read_json_bytes(path)
        old = msgspec.json.decode(raw, type=_Format1)
        if old.format != 1:
            return read_manifest(folder)
        files = hash_files(folder)
        if files.get("model.bin") != old.weights_sha256:
            raise CompiledModelError(f"{folder / 'model.bin'} is damaged. Compile the model again.")
        new = {
            **msgspec.json.decode(raw, type=dict[str, object]),
            "format": MANIFEST_FORMAT,
            "files": files,
            "prompt_style": _PROMPT_STYLES_OF_FORMAT_1.get(old.profile, old.profile),
        }
        return msgspec.convert(new, Manifest)
    except OSError:
        return read_manifest(folder)  # says what is wrong
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CompiledModelError(f"{path}: {error}. Correct that field or compile the model again.") from None


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
