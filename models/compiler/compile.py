"""Compiling a Qwen3 checkpoint to CTranslate2 without torch, one tensor in memory at a time.

CTranslate2's own converter loads the whole model with transformers, and needs torch for bfloat16. Here its
specification is filled with variables that read, merge, quantize and round only when they are written, in blocks of
rows. The result is, byte for byte, the model that the official converter makes (ctranslate2/converters/transformers.py,
Qwen3Loader).
"""

import math
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import ctranslate2
import msgspec
import numpy as np
from numpy.typing import NDArray

from sluicegate.models.artifacts.manifest import (
    MANIFEST_FILE,
    WEIGHTS_FILE,
    Manifest,
    PromptStyleName,
    Quantization,
    read_manifest,
    sha256_of,
    write_manifest,
)
from sluicegate.models.compiler import lora_merge
from sluicegate.models.compiler.checkpoint import Checkpoint, Weight, open_checkpoint
from sluicegate.models.inference.prompts import prompt_style_for
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.models.text.lexicon import LEXICON_FILE
from sluicegate.schemas.errors import CheckpointError, CompiledModelError
from sluicegate.schemas.version import VERSION

Progress = Callable[[int, int], None]
"""Called with how many are done and of how many (here, parameters written), from the thread that does them."""

TOKENIZER_FILE = "tokenizer.json"
_COPIED_WHEN_PRESENT = (LEXICON_FILE, "tokenizer_config.json", "generation_config.json", "chat_template.jinja")
_BLOCK = 4_194_304  # values converted at a time: 16 MiB of float32
# What becomes of matrices, and of everything else; None keeps the checkpoint's own type. As CTranslate2 defines them.
_STORED_AS: dict[Quantization, tuple[str, str | None]] = {
    "int8": ("int8", None),
    "int8_float32": ("int8", "float32"),
    "int8_bfloat16": ("int8", "bfloat16"),
    "float16": ("float16", "float16"),
    "bfloat16": ("bfloat16", "bfloat16"),
    "float32": ("float32", "float32"),
}
_SIZES = {"int8": 1, "float16": 2, "bfloat16": 2, "float32": 4}


def compile_checkpoint(
    source: Path,
    destination: Path,
    *,
    quantization: Quantization,
    profile: PromptStyleName,
    labels_version: str,
    prompt_version: str,
    name: str | None = None,
    origin: str | None = None,
    revision: str | None = None,
    adapter: Path | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Compile the checkpoint folder `source` into the folder `destination`, verify it, and return its manifest.

    `name` and `origin` (the manifest's source) default to the checkpoint folder's name. A compiled model that is
    already at `destination` is replaced, at the end and only after success; whatever fails, or Ctrl-C, leaves it as it
    was and nothing beside it. Peak memory is about the largest tensor as stored (156 MB for Qwen3-0.6B in int8) until
    the verification loads the model.

    Raises CheckpointError when the checkpoint, the adapter or the disk is to blame, and CompiledModelError when
    `destination` is something other than a compiled model, or the result cannot be served.
    """
    destination = check_destination(destination)
    source = source.resolve()
    if source.is_relative_to(destination):
        raise CompiledModelError(f"{destination} contains the checkpoint itself: choose another folder.")
    checkpoint = open_checkpoint(source)
    weights: Mapping[str, Weight] = checkpoint.tensors
    if adapter is not None:
        _check_learnt(adapter, profile, prompt_version)
        weights = lora_merge.merge_adapter(adapter, checkpoint.tensors)
    parameters = sum(math.prod(shape) for shape in checkpoint.config.shapes().values())
    try:
        with _staged(destination) as folder:
            _write_model(folder, checkpoint, weights, quantization, Meter(parameters, progress))
            _copy_tokenizer(source, folder)
            manifest = Manifest(
                name=name or source.name,
                profile=profile,
                source=origin or source.name,
                revision=revision,
                adapter=None
                if adapter is None
                else f"{adapter.resolve().name}@{sha256_of(adapter / lora_merge.WEIGHTS_FILE)}",
                quantization=quantization,
                weights_sha256=sha256_of(folder / WEIGHTS_FILE),
                parameters=parameters,
                labels_version=labels_version,
                prompt_version=prompt_version,
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


def _check_learnt(adapter: Path, profile: PromptStyleName, prompt_version: str) -> None:
    learnt = lora_merge.read_learnt(adapter)
    if learnt and (learnt.profile, learnt.prompt_version) != (profile, prompt_version):
        raise CheckpointError(
            f"{adapter} was taught the prompts {learnt.prompt_version} ({learnt.profile}) and would be asked with "
            f"{prompt_version} ({profile}): compile it for its own profile, or learn it again with this version."
        )


def check_destination(destination: Path) -> Path:
    """The destination, resolved, if a model may be put there: nothing, an empty folder, or a compiled model.

    Raises CompiledModelError otherwise.
    """
    destination = destination.resolve()
    if not destination.exists() or (destination / MANIFEST_FILE).is_file():
        return destination
    if destination.is_dir() and not any(destination.iterdir()):
        return destination
    raise CompiledModelError(
        f"{destination} exists and is not a compiled model: choose another folder, or remove it first."
    )


def verify_compiled(folder: Path) -> None:
    """Load a compiled model on the CPU, run one forward pass, find its profile's tokens. Raises CompiledModelError."""
    manifest = read_manifest(folder)
    # Types that every CPU computes in: with others CTranslate2 warns, and converts all the same.
    compute_type = "int8_float32" if manifest.quantization.startswith("int8") else "float32"
    try:
        tokens = msgspec.json.decode((folder / "vocabulary.json").read_bytes(), type=list[str])
        generator = ctranslate2.Generator(str(folder), device="cpu", compute_type=compute_type)
        prompt = list(range(min(8, len(tokens))))
        logits = np.array(generator.forward_batch([prompt]))
    except (OSError, RuntimeError, ValueError, msgspec.DecodeError) as error:
        raise CompiledModelError(f"{folder} cannot be loaded: {error}. Compile {manifest.source} again.") from error
    prompt_style_for(manifest.profile, QueryTokenizer(folder))
    expected = (1, len(prompt), len(tokens))
    if logits.shape != expected:
        raise CompiledModelError(
            f"{folder}: logits have shape {logits.shape}, expected {expected}. Compile {manifest.source} again."
        )
    if not np.isfinite(logits).all():
        raise CompiledModelError(
            f"{folder}: logits are not finite: the weights of {manifest.source} are damaged. Download them again."
        )


@contextmanager
def _staged(destination: Path) -> Iterator[Path]:
    """A new folder beside `destination` that takes its place if the block succeeds, and disappears if it does not.

    A folder cannot be renamed over a full one: the old model is moved aside first, and back if the second rename fails.
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


class Meter:
    """Counts what is done of a total, for a progress bar."""

    def __init__(self, total: int, report: Progress | None) -> None:
        self._done = 0
        self._total = total
        self._report = report

    def add(self, count: int) -> None:
        self._done += count
        if self._report is not None:
            self._report(self._done, self._total)


@dataclass(frozen=True, eq=False)
class _Variable:
    """A variable whose bytes are computed while it is written, a block of rows at a time.

    It is what ctranslate2.specs.model_spec.Variable is; that class is not inherited, because its module imports torch
    where torch is installed, and this one must stay cheap to import.
    """

    shape: tuple[int, ...]
    dtype: str
    blocks: Callable[[], Iterator[NDArray[np.generic]]]

    def is_scalar(self) -> bool:
        return False

    def equal(self, other: object) -> bool:
        """Equal variables become aliases: a tied projection is the same object as the embeddings."""
        return self is other

    def num_bytes(self) -> int:
        return math.prod(self.shape) * _SIZES[self.dtype]

    def to_bytes(self) -> memoryview:
        buffer = np.empty(self.num_bytes(), dtype=np.uint8)
        filled = 0
        for block in self.blocks():
            flat = np.ascontiguousarray(block).reshape(-1).view(np.uint8)
            buffer[filled : filled + flat.size] = flat
            filled += flat.size
        return buffer.data


@dataclass(frozen=True)
class _Stack:
    """Matrices on top of each other: attention's query, key and value run as one."""

    parts: tuple[Weight, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(part.shape[0] for part in self.parts), *self.parts[0].shape[1:])


def _blocks(weight: _Stack) -> Iterator[NDArray[np.float32]]:
    for part in weight.parts:
        step = max(1, _BLOCK // math.prod(part.shape[1:]))
        for start in range(0, part.shape[0], step):
            yield part.rows(start, min(start + step, part.shape[0]))


def _scales(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """CTranslate2's int8 scale of each row: 127 over the largest magnitude (its model_spec.py, `_quantize`)."""
    largest = np.amax(np.absolute(block), axis=1)
    largest[largest == 0] = 127.0
    smallest_invertible = np.float32(127) / np.finfo(np.float32).max
    scales: NDArray[np.float32] = np.float32(127) / np.maximum(largest, smallest_invertible)
    return scales


def _to_int8(block: NDArray[np.float32]) -> NDArray[np.int8]:
    block *= _scales(block)[:, None]
    return np.rint(block, out=block).astype(np.int8)


def _to_bfloat16(block: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The upper half of each float32, rounded to nearest, ties to even; numpy has no such type."""
    bits = block.view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _to_float16(block: NDArray[np.float32]) -> NDArray[np.float16]:
    with np.errstate(over="ignore"):
        halves = block.astype(np.float16)
    if not np.isfinite(halves).all():
        raise CheckpointError("a weight is beyond 65504, the largest float16: compile to bfloat16 or float32 instead.")
    return halves


_CONVERSIONS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.generic]]] = {
    "int8": _to_int8,
    "bfloat16": _to_bfloat16,
    "float16": _to_float16,
    "float32": lambda block: block,
}


def _variable(weight: _Stack, dtype: str, meter: Meter) -> _Variable:
    def blocks() -> Iterator[NDArray[np.generic]]:
        for block in _blocks(weight):
            size = block.size
            yield _CONVERSIONS[dtype](block)
            meter.add(size)

    return _Variable(weight.shape, dtype, blocks)


def _scale_variable(weight: _Stack) -> _Variable:
    return _Variable(weight.shape[:1], "float32", lambda: map(_scales, _blocks(weight)))


def _write_model(
    folder: Path, checkpoint: Checkpoint, weights: Mapping[str, Weight], quantization: Quantization, meter: Meter
) -> None:
    """Write model.bin, config.json and vocabulary.json."""
    from ctranslate2 import specs  # here, because it imports torch where torch is installed

    matrix_type, vector_type = _STORED_AS[quantization]
    config = checkpoint.config
    heads, heads_kv = config.num_attention_heads, config.num_key_value_heads
    spec = specs.TransformerDecoderModelSpec.from_config(
        config.num_hidden_layers,
        heads,
        activation=specs.Activation.SWISH,
        pre_norm=True,
        ffn_glu=True,
        rms_norm=True,
        qk_norm=True,
        rotary_dim=config.head_dim,
        rotary_interleave=False,
        rotary_base=config.rotary_base,
        num_heads_kv=heads_kv if heads_kv != heads else None,
        head_dim=config.head_dim,
    )

    def set_matrix(layer: specs.LayerSpec, *names: str) -> None:
        parts = tuple(weights[f"{name}.weight"] for name in names)
        layer.weight = _variable(_Stack(parts), matrix_type, meter)
        if matrix_type == "int8":
            layer.weight_scale = _scale_variable(_Stack(parts))

    def set_norm(layer: specs.LayerSpec, name: str) -> None:
        gamma = weights[f"{name}.weight"]
        layer.gamma = _variable(_Stack((gamma,)), vector_type or gamma.dtype, meter)

    decoder = spec.decoder
    decoder.scale_embeddings = False
    set_matrix(decoder.embeddings, "model.embed_tokens")
    set_norm(decoder.layer_norm, "model.norm")
    for index, layer in enumerate(decoder.layer):
        prefix = f"model.layers.{index}"
        attention = layer.self_attention
        set_norm(attention.layer_norm, f"{prefix}.input_layernorm")
        set_matrix(attention.linear[0], *(f"{prefix}.self_attn.{part}_proj" for part in "qkv"))
        set_norm(attention.q_norm, f"{prefix}.self_attn.q_norm")
        set_norm(attention.k_norm, f"{prefix}.self_attn.k_norm")
        set_matrix(attention.linear[1], f"{prefix}.self_attn.o_proj")
        set_norm(layer.ffn.layer_norm, f"{prefix}.post_attention_layernorm")
        set_matrix(layer.ffn.linear_0, f"{prefix}.mlp.gate_proj")
        set_matrix(layer.ffn.linear_0_noact, f"{prefix}.mlp.up_proj")
        set_matrix(layer.ffn.linear_1, f"{prefix}.mlp.down_proj")
    if config.tie_word_embeddings:
        decoder.projection.weight = decoder.embeddings.weight  # becomes an alias, and its scale with it
    else:
        set_matrix(decoder.projection, "lm_head")

    spec.config.bos_token = checkpoint.bos_token
    spec.config.eos_token = checkpoint.eos_token
    spec.config.unk_token = checkpoint.unk_token
    spec.config.layer_norm_epsilon = config.rms_norm_eps
    spec.register_vocabulary(checkpoint.tokens)
    spec.validate()
    spec.optimize()  # aliases only: each variable quantizes itself when it is written
    spec.save(str(folder))


def _copy_tokenizer(source: Path, folder: Path) -> None:
    shutil.copyfile(source / TOKENIZER_FILE, folder / TOKENIZER_FILE)
    for name in _COPIED_WHEN_PRESENT:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
