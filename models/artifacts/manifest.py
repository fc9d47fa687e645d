"""The manifest of a compiled model: where its weights come from, and how to read what it says.

A compiled model is a folder. CTranslate2 reads ``model.bin``, ``config.json`` and ``vocabulary.json``; the tokenizer
reads ``tokenizer.json``; ``manifest.json``, described here, makes a ledger record traceable to exact weights.
"""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from sluicegate.models.inference.labels import Category
from sluicegate.schemas.errors import CompiledModelError
from sluicegate.schemas.events import Sha256, Threshold

MANIFEST_FILE = "manifest.json"
WEIGHTS_FILE = "model.bin"
MANIFEST_FORMAT = 1
LONGEST_NAME = 180
"""With the hash of the weights it must fit into the `model_version` of every event."""

PromptStyleName = Literal["zero_shot", "adapted", "tuned"]
Quantization = Literal["int8", "int8_float32", "int8_bfloat16", "float16", "bfloat16", "float32"]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is written in ``manifest.json``.

    `source` is a hub id or the name of a folder, never a path; `adapter` is ``name@sha256`` of a merged LoRA adapter;
    `parameters` counts tied embeddings once. `temperature` divides the label logits before they become probabilities.
    """

    format: int = MANIFEST_FORMAT
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]
    profile: PromptStyleName
    source: str
    revision: str | None = None
    adapter: str | None = None
    quantization: Quantization
    weights_sha256: Sha256
    parameters: Annotated[int, msgspec.Meta(gt=0)]
    labels_version: str
    prompt_version: str
    temperature: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    thresholds: dict[Category, Threshold] = {}
    compiler: str
    created_at: Annotated[datetime, msgspec.Meta(tz=True)]

    @property
    def model_version(self) -> str:
        """Name and weights in one short string, as events and ledger records carry it."""
        return f"{self.name}@{self.weights_sha256[:12]}"


class _Header(msgspec.Struct):
    format: int


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a compiled model.

    Raises CompiledModelError when the folder has none, or names the field that is wrong.
    """
    path = folder / MANIFEST_FILE
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CompiledModelError(
            f"{folder} is not a compiled model: cannot read {MANIFEST_FILE} ({error.strerror or error}). "
            "Make one with `sluice models compile`."
        ) from error
    try:
        header = msgspec.json.decode(raw, type=_Header)
        if header.format == MANIFEST_FORMAT:
            return msgspec.json.decode(raw, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # ValidationError is a DecodeError
        raise CompiledModelError(f"{path}: {error}. Correct that field or compile the model again.") from error
    raise CompiledModelError(
        f"{path}: format is {header.format}, this version reads {MANIFEST_FORMAT}. Compile the model again."
    )


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest into `folder`; a reader sees the old one or the new one, never half of one."""
    path = folder / MANIFEST_FILE
    unfinished = path.with_suffix(".json.partial")
    try:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_weights(folder: Path, manifest: Manifest) -> None:
    """Compare the weights with the hash in the manifest; about a second per gigabyte.

    Raises CompiledModelError when they differ or are not there.
    """
    path = folder / WEIGHTS_FILE
    try:
        found = sha256_of(path)
    except OSError as error:
        raise CompiledModelError(f"cannot read {path} ({error.strerror or error}). Compile the model again.") from error
    if found != manifest.weights_sha256:
        raise CompiledModelError(
            f"{path}: SHA-256 is {found[:12]}…, the manifest says {manifest.weights_sha256[:12]}…: "
            "the weights are damaged or were exchanged. Compile the model again."
        )
