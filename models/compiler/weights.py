"""Writing a checkpoint's weights as a CTranslate2 model, one block of rows in memory at a time.

CTranslate2's own converter loads the whole model with transformers, and needs torch for bfloat16. Here, CTranslate2's
specification of the model is filled with variables that read, merge, quantize and round only when they are written.
The result is byte for byte the model that the official converter makes (ctranslate2/converters/transformers.py,
Qwen3Loader).
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sluicegate.models.artifacts.manifest import Quantization
from sluicegate.models.compiler.checkpoint import Checkpoint
from sluicegate.models.compiler.safetensors import Weight
from sluicegate.models.progress import Meter
from sluicegate.schemas.errors import CheckpointError

_BLOCK = 4_194_304  # values converted at a time: 16 MiB of float32
# The types of matrices, and of everything else, as CTranslate2 defines them. None keeps the checkpoint's own type.
_STORED_AS: dict[Quantization, tuple[str, str | None]] = {
    "int8": ("int8", None),
    "int8_float32": ("int8", "float32"),
    "int8_bfloat16": ("int8", "bfloat16"),
    "float16": ("float16", "float16"),
    "bfloat16": ("bfloat16", "bfloat16"),
    "float32": ("float32", "float32"),
}
_SIZES = {"int8": 1, "float16": 2, "bfloat16": 2, "float32": 4}


@dataclass(frozen=True, eq=False)
class _Variable:
    """A variable whose bytes are computed while it is written, a block of rows at a time.

    It stands in for ctranslate2.specs.model_spec.Variable. That class is not inherited: its module imports torch, and
    this one must be quick to import.
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
    """Matrices stacked by rows: query, key and value of the attention are one matrix."""

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
    """The upper half of each float32, rounded to nearest, ties to even. numpy has no such type."""
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


def write_model(
    folder: Path, checkpoint: Checkpoint, weights: Mapping[str, Weight], quantization: Quantization, meter: Meter
) -> None:
    """Write model.bin, config.json and vocabulary.json."""
    from ctranslate2 import specs  # here, because it imports torch if torch is installed

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
