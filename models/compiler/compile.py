"""Compiling a checkpoint to CTranslate2 without torch: check, write, verify, then replace what was there.

The prompt style says which model it is: `embedded` is our encoder, `qwen3guard` is
Qwen3Guard-Gen with the prompt of its own chat template, the others are Qwen3.
"""

import math
import re
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import ctranslate2
import msgspec
import numpy as np

from sluicegate.models.artifacts.deployment import is_registry
from sluicegate.models.artifacts.manifest import (
    MANIFEST_FILE,
    NAME_PATTERN,
    Manifest,
    PromptStyleName,
    Quantization,
    hash_files,
    read_manifest,
    sha256_of,
    write_manifest,
)
from sluicegate.models.artifacts.servable import outdated
from sluicegate.models.compiler import lora_merge
from sluicegate.models.compiler.checkpoint import open_checkpoint
from sluicegate.models.compiler.encoder import open_encoder, write_encoder
from sluicegate.models.compiler.safetensors import Weight
from sluicegate.models.compiler.weights import write_model
from sluicegate.models.formatting.guided_prompt import FormatterPrompt
from sluicegate.models.inference.expansions import EXPANSIONS_FILE
from sluicegate.models.inference.guard_prompt import read_guard_prompt, render_guard_prompt, write_guard_prompt
from sluicegate.models.inference.guard_reader import tier_ids
from sluicegate.models.inference.heads import Heads
from sluicegate.models.inference.labels import LABELS_VERSION
from sluicegate.models.inference.policy import DEFAULT_THRESHOLDS
from sluicegate.models.inference.prompts import PROMPT_VERSIONS, prompt_style_for
from sluicegate.models.inference.spelling_hints import HINT_FILES, hint_folder
from sluicegate.models.inference.tokenizer import TOKENIZER_FILE, QueryTokenizer
from sluicegate.models.progress import Meter, Progress
from sluicegate.schemas.errors import CheckpointError, CompiledModelError
from sluicegate.schemas.version import VERSION

_COPIED_WHEN_PRESENT = (
    *HINT_FILES,
    EXPANSIONS_FILE,
    "tokenizer_config.json",
    "generation_config.json",
    "chat_template.jinja",
)


def compile_checkpoint(
    source: Path,
    destination: Path,
    *,
    quantization: Quantization,
    prompt_style: PromptStyleName,
    name: str | None = None,
    origin: str | None = None,
    revision: str | None = None,
    adapter: Path | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Compile the checkpoint folder `source` into the folder `destination`, verify it, and return its manifest.

    `name` and `origin` (the manifest's source) default to the checkpoint folder's name. A compiled model that is
    already at `destination` is replaced only after success. A failure or Ctrl-C leaves it as it was, and no other
    files. Peak memory is about the largest tensor as stored (156 MB for Qwen3-0.6B in int8), until the verification
    loads the model.

    Raises:
        CheckpointError: the checkpoint, the adapter or the disk is at fault, or the name cannot name a model.
        CompiledModelError: `destination` is not a compiled model, or the result cannot be served.
    """
    destination = check_destination(destination)
    source = source.resolve()
    name = name or source.name
    if not re.fullmatch(NAME_PATTERN, name):
        raise CheckpointError(
            f"a model cannot be named {name!r}: give a --name of letters, digits, dots, hyphens and underscores."
        )
    if source.is_relative_to(destination):
        raise CompiledModelError(f"{destination} contains the checkpoint itself: choose another folder.")
    opened = _open(source, prompt_style, quantization, adapter)
    try:
        with _staged(destination) as folder:
            opened.write(folder, Meter(opened.parameters, progress))
            shutil.copyfile(source / TOKENIZER_FILE, folder / TOKENIZER_FILE)
            _copy_present(source, folder, _COPIED_WHEN_PRESENT)
            if prompt_style == "adapted":
                _copy_present(hint_folder(source), folder, HINT_FILES)
            if prompt_style == "qwen3guard":
                write_guard_prompt(folder, render_guard_prompt(source, QueryTokenizer(folder)))
            manifest = Manifest(
                name=name,
                prompt_style=prompt_style,
                source=origin or source.name,
                revision=revision,
                adapter=None
                if adapter is None
                else f"{adapter.resolve().name}@{sha256_of(adapter / lora_merge.WEIGHTS_FILE)}",
                quantization=quantization,
                files=hash_files(folder),
                parameters=opened.parameters,
                labels_version=LABELS_VERSION,
                prompt_version=PROMPT_VERSIONS[prompt_style],
                thresholds=dict(DEFAULT_THRESHOLDS),
                compiler=f"sluicegate {VERSION}, ctranslate2 {ctranslate2.__version__}",
                created_at=datetime.now(UTC).replace(microsecond=0),
            )
            write_manifest(folder, manifest)
            verify_compiled(folder)
    except OSError as error:
        raise CheckpointError(
            f"compiling {source} into {destination} failed: {error}. Check free space and permissions."
        ) from error
    return manifest


@dataclass(frozen=True)
class _Opened:
    """A checkpoint that passed its checks, and what writes it as a CTranslate2 model."""

    parameters: int
    write: Callable[[Path, Meter], None]


def _open(source: Path, prompt_style: PromptStyleName, quantization: Quantization, adapter: Path | None) -> _Opened:
    if prompt_style == "embedded":
        if adapter is not None:
            raise CheckpointError(f"{source} is to be an embedded model, which takes no adapter: train it anew.")
        encoder = open_encoder(source)

        def write_and_count(folder: Path, meter: Meter) -> None:
            write_encoder(folder, encoder, quantization)
            meter.add(_count(encoder.config.shapes()))

        return _Opened(_count(encoder.config.shapes()), write_and_count)
    checkpoint = open_checkpoint(source)
    weights: Mapping[str, Weight] = checkpoint.tensors
    if adapter is not None:
        _check_adapter(adapter, prompt_style)
        weights = lora_merge.merge_adapter(adapter, checkpoint.tensors)
    return _Opened(
        _count(checkpoint.config.shapes()),
        lambda folder, meter: write_model(folder, checkpoint, weights, quantization, meter),
    )


def _count(shapes: Mapping[str, tuple[int, ...]]) -> int:
    return sum(math.prod(shape) for shape in shapes.values())


def _check_adapter(adapter: Path, prompt_style: PromptStyleName) -> None:
    learnt = lora_merge.read_learnt_prompt(adapter)
    asked = PROMPT_VERSIONS[prompt_style]
    if learnt and learnt.prompt_style != prompt_style:
        raise CheckpointError(
            f"{adapter} was trained with the prompt {learnt.prompt_version} ({learnt.prompt_style}), but the model "
            f"would use {asked} ({prompt_style}): compile it for the adapter's own prompt style."
        )
    if learnt and learnt.prompt_version != asked:
        raise CheckpointError(f"{adapter} {outdated(learnt.prompt_version, asked)}")


def check_destination(destination: Path) -> Path:
    """The resolved destination, if a model may be put there: it is free, an empty folder, or a compiled model.

    Raises:
        CompiledModelError: something else is there.
    """
    destination = destination.resolve()
    if is_registry(destination.parent):
        raise CompiledModelError(
            f"{destination} is in a registry, where versions never change: choose another folder, then run "
            "`sluice models use` or `sluice models canary`."
        )
    if not destination.exists() or (destination / MANIFEST_FILE).is_file():
        return destination
    if destination.is_dir() and not any(destination.iterdir()):
        return destination
    raise CompiledModelError(
        f"{destination} exists and is not a compiled model: choose another folder, or remove it first."
    )


def verify_compiled(folder: Path) -> None:
    """Load a compiled model on the CPU, run one forward pass, and find its prompt style's tokens.

    Raises:
        CompiledModelError: the model cannot be loaded, or its answer makes no sense.
    """
    manifest = read_manifest(folder)
    # Types that every CPU supports. With others CTranslate2 warns and converts.
    compute_type = "int8_float32" if manifest.quantization.startswith("int8") else "float32"
    model_class = ctranslate2.Encoder if manifest.prompt_style == "embedded" else ctranslate2.Generator
    try:
        tokens = msgspec.json.decode((folder / "vocabulary.json").read_bytes(), type=list[str])
        model = model_class(str(folder), device="cpu", compute_type=compute_type)
        prompt = list(range(min(8, len(tokens))))
        output = model.forward_batch([prompt])
        values = np.array(output.pooler_output if manifest.prompt_style == "embedded" else output)
    except (OSError, RuntimeError, ValueError, msgspec.DecodeError) as error:
        raise CompiledModelError(f"{folder} cannot be loaded: {error}. Compile {manifest.source} again.") from error
    if manifest.prompt_style == "embedded":
        expected: tuple[int, ...] = (1, Heads.load(folder).labels.shape[1] - 1)
    else:
        expected = (1, len(prompt), len(tokens))
        _check_prompt(manifest.prompt_style, folder)
    if values.shape != expected:
        raise CompiledModelError(
            f"{folder}: its output has shape {values.shape}, expected {expected}. Compile {manifest.source} again."
        )
    if not np.isfinite(values).all():
        raise CompiledModelError(
            f"{folder}: its output is not finite: the weights of {manifest.source} are damaged. Download them again."
        )


def _check_prompt(style: PromptStyleName, folder: Path) -> None:
    """Find the tokens that the prompt style needs."""
    tokenizer = QueryTokenizer(folder)
    if style == "qwen3guard":
        tier_ids(tokenizer)
        read_guard_prompt(folder)
    elif style == "formatter":
        FormatterPrompt.of(style, tokenizer)
    else:
        prompt_style_for(style, tokenizer)


@contextmanager
def _staged(destination: Path) -> Iterator[Path]:
    """A new folder next to `destination`. It takes its place if the block succeeds, and is removed if it does not.

    A folder cannot be renamed over one with content. The old model is moved aside first, and back if the second rename
    fails.
    """
    suffix = uuid.uuid4().hex[:8]
    staging, old = (destination.with_name(f".{destination.name}.{suffix}.{role}") for role in ("new", "old"))
    destination.parent.mkdir(parents=True, exist_ok=True)
    try:
        staging.mkdir()
        yield staging
        if destination.exists():
            destination.rename(old)
        staging.rename(destination)
    except BaseException:
        if old.exists() and not destination.exists():
            old.rename(destination)
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _copy_present(source: Path, folder: Path, names: Iterable[str]) -> None:
    for name in names:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
