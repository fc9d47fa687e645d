"""The manifest of a compiled model: where it comes from, what it consists of, and how to read its probabilities.

A compiled model is a folder. CTranslate2 reads ``model.bin``, ``config.json`` and ``vocabulary.json``. The tokenizer
reads ``tokenizer.json``. ``guard_prompt.json`` belongs to Qwen3Guard, the other files to the embedded model.
``manifest.json``, described here, holds the SHA-256 of each of these files, and the policy: temperature, thresholds and
the bound on their sum.

Everything that can change a decision is part of the model's version. Two models with the same version decide alike.
"""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias, get_args

import msgspec

from sluicegate.models.artifacts.files import open_regular, read_json_bytes, write_atomically
from sluicegate.models.inference.labels import Category
from sluicegate.models.inference.policy import SUM_BOUND
from sluicegate.models.inference.threshold_errors import wrong_threshold
from sluicegate.schemas.errors import CompiledModelError
from sluicegate.schemas.events import Sha256, Threshold

MANIFEST_FILE: Final = "manifest.json"
WEIGHTS_FILE: Final = "model.bin"
MANIFEST_FORMAT: Final = 2

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,179}\Z"
"""A model's name is part of a folder's name and of the `model_version` in each event."""

PromptStyleName: TypeAlias = Literal["zero_shot", "adapted", "formatter", "embedded", "qwen3guard"]
Quantization: TypeAlias = Literal["int8", "int8_float32", "int8_bfloat16", "float16", "bfloat16", "float32"]
SensitiveTopics: TypeAlias = Literal["review", "allow"]
DEFAULT_QUANTIZATION: Final[Quantization] = "int8_float32"

ModelFile: TypeAlias = Literal[
    "config.json",
    "expansions.tsv",
    "guard_prompt.json",
    "heads.npz",
    "lexicon.txt",
    "model.bin",
    "speller.json",
    "speller_pairs.npz",
    "speller_words.txt.gz",
    "tokenizer.json",
    "vocabulary.json",
]
"""The files that decide. Others, such as a model card, may be in the folder; nothing reads them."""

MODEL_FILES: Final[tuple[ModelFile, ...]] = get_args(ModelFile)
_REQUIRED: Final[frozenset[ModelFile]] = frozenset({"config.json", "model.bin", "tokenizer.json", "vocabulary.json"})
WORD_LISTS: Final[frozenset[ModelFile]] = frozenset({"expansions.tsv", "lexicon.txt"})
"""The files that their owners may edit, see `models.artifacts.revision`."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``manifest.json``.

    `source` is a hub id or the name of a folder, never a path. `adapter` is ``name@sha256`` of a merged LoRA adapter.
    `files` has the SHA-256 of each file. `parameters` counts tied embeddings once. `temperature` divides the label
    logits before they become probabilities. `sensitive_topics` is for Qwen3Guard: what becomes of queries that are only
    about politics or copyright.
    """

    format: int = MANIFEST_FORMAT
    name: Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
    prompt_style: PromptStyleName
    source: str
    revision: str | None = None
    adapter: str | None = None
    quantization: Quantization
    files: dict[ModelFile, Sha256]
    parameters: Annotated[int, msgspec.Meta(gt=0)]
    labels_version: str
    prompt_version: str
    temperature: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    thresholds: dict[Category, Threshold] = {}
    sum_bound: Annotated[float, msgspec.Meta(gt=0)] = SUM_BOUND
    sensitive_topics: SensitiveTopics = "review"
    compiler: str
    created_at: Annotated[datetime, msgspec.Meta(tz=True)]

    def __post_init__(self) -> None:
        missing = _REQUIRED - self.files.keys()
        if missing:
            raise ValueError(f"`files` lacks {', '.join(sorted(missing))}")

    @property
    def model_version(self) -> str:
        """The name, and a hash of everything that decides, as events and ledger records carry it."""
        decides: dict[str, object] = {
            "files": self.files,
            "prompt_style": self.prompt_style,
            "prompt_version": self.prompt_version,
            "labels_version": self.labels_version,
            "temperature": float(self.temperature),
            "sum_bound": float(self.sum_bound),
            "thresholds": {
                category: {"allow": float(limit.allow), "block": float(limit.block)}
                for category, limit in self.thresholds.items()
            },
        }
        if self.prompt_style == "qwen3guard":
            decides["sensitive_topics"] = self.sensitive_topics
        digest = hashlib.sha256(msgspec.json.encode(decides, order="sorted")).hexdigest()
        return f"{self.name}@{digest[:12]}"


class _Header(msgspec.Struct):
    format: int


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a compiled model.

    Raises:
        CompiledModelError: the folder has no manifest, or a field of it is wrong; names the field.
    """
    path = folder / MANIFEST_FILE
    try:
        raw = read_json_bytes(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        where = "" if folder.is_absolute() else " in the current directory"
        reason = f"cannot read {MANIFEST_FILE} ({_reason(error)})" if folder.exists() else f"no such folder{where}"
        raise CompiledModelError(
            f"{folder} is not a compiled model: {reason}. Give the path of its folder. `sluice models pull` and "
            "`sluice models compile` make one and say where it is."
        ) from error
    try:
        header = msgspec.json.decode(raw, type=_Header)
        if header.format == MANIFEST_FORMAT:
            return msgspec.json.decode(raw, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CompiledModelError(
            f"{path}: {_explain(error, raw)}. Correct that field or compile the model again."
        ) from error
    if header.format == 1:
        raise CompiledModelError(
            f"{path}: format 1 covers the weights only. Run `sluice models revise` on a copy of the folder: it checks "
            "the weights and records the other files."
        )
    raise CompiledModelError(
        f"{path}: format is {header.format}, this version reads {MANIFEST_FORMAT}. Compile the model again."
    )


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest into `folder`. A reader sees the old one or the new one, never a part of one."""
    write_atomically(folder / MANIFEST_FILE, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(folder: Path) -> dict[ModelFile, str]:
    """The SHA-256 of each file of `folder` that decides."""
    return {name: sha256_of(folder / name) for name in MODEL_FILES if (folder / name).exists()}


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Compare each file that decides with its hash in the manifest. Takes about a second per gigabyte.

    Raises:
        CompiledModelError: a file is missing, changed or was added; names it.
    """
    for name in MODEL_FILES:
        path, expected = folder / name, manifest.files.get(name)
        try:
            found = sha256_of(path) if path.exists() or expected else None
        except OSError as error:
            raise CompiledModelError(
                f"cannot read {path} ({_reason(error)}). Copy or compile the model again."
            ) from error
        if found == expected:
            continue
        if name in WORD_LISTS:
            raise CompiledModelError(
                f"{path} was changed. If you changed it on purpose, run `sluice models revise {folder}`: the model "
                "becomes a new version. If not, copy the model again."
            )
        raise CompiledModelError(
            f"{path} is damaged, or belongs to another model: SHA-256 {_short(found)}, expected {_short(expected)}. "
            "Copy or compile the model again."
        )


def _explain(error: Exception, raw: bytes) -> str:
    if "$.thresholds[...]" in str(error):
        return wrong_threshold(msgspec.json.decode(raw)["thresholds"]) or str(error)
    return str(error)


def _short(digest: str | None) -> str:
    return f"{digest[:12]}…" if digest else "none"


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
