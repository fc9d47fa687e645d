"""Opening a Hugging Face Qwen3 checkpoint without torch: everything is checked before any weight is read.

A checkpoint is a folder with ``config.json``, ``tokenizer.json`` and ``model.safetensors``, or shards listed in
``model.safetensors.index.json``. Each failure is a CheckpointError that names the file or tensor, and the remedy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import numpy as np
import tokenizers

from sluicegate.models.compiler.safetensors import Tensor, read_safetensors
from sluicegate.schemas.errors import CheckpointError

EMBEDDINGS = "model.embed_tokens.weight"
PROJECTION = "lm_head.weight"

_T = TypeVar("_T")
_Positive = Annotated[int, msgspec.Meta(gt=0)]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that passed every check. `tokens` has one entry per row of the embeddings, in order of id."""

    folder: Path
    config: "Qwen3Config"
    tensors: Mapping[str, Tensor]
    tokens: list[str]
    bos_token: str
    eos_token: str
    unk_token: str


class _ModelType(msgspec.Struct):
    model_type: str | None = None


class _Rope(msgspec.Struct, frozen=True):
    rope_theta: float | None = None
    rope_type: str | None = None
    type: str | None = None


class Qwen3Config(msgspec.Struct, frozen=True):
    """The fields of ``config.json`` that decide how the weights are used. The defaults are those of transformers."""

    hidden_size: _Positive
    intermediate_size: _Positive
    num_hidden_layers: Annotated[int, msgspec.Meta(gt=0, le=1000)]
    num_attention_heads: _Positive
    num_key_value_heads: _Positive
    vocab_size: _Positive
    rms_norm_eps: float = 1e-6
    head_dim: _Positive = 128
    hidden_act: str = "silu"
    attention_bias: bool = False
    use_sliding_window: bool = False
    layer_types: list[str] | None = None
    tie_word_embeddings: bool = False
    rope_theta: float | None = None
    rope_scaling: _Rope | None = None
    rope_parameters: _Rope | None = None  # where transformers 5 keeps both
    quantization_config: dict[str, msgspec.Raw] | None = None
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None

    @property
    def rotary_base(self) -> float | None:
        """The base period of the rotary embeddings, wherever the file keeps it."""
        return self.rope_theta or (self.rope_parameters.rope_theta if self.rope_parameters else None)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor a checkpoint of this configuration has."""
        hidden, inner = self.hidden_size, self.intermediate_size
        query, key = self.num_attention_heads * self.head_dim, self.num_key_value_heads * self.head_dim
        layer = {
            "input_layernorm": (hidden,),
            "self_attn.q_proj": (query, hidden),
            "self_attn.k_proj": (key, hidden),
            "self_attn.v_proj": (key, hidden),
            "self_attn.o_proj": (hidden, query),
            "self_attn.q_norm": (self.head_dim,),
            "self_attn.k_norm": (self.head_dim,),
            "post_attention_layernorm": (hidden,),
            "mlp.gate_proj": (inner, hidden),
            "mlp.up_proj": (inner, hidden),
            "mlp.down_proj": (hidden, inner),
        }
        shapes: dict[str, tuple[int, ...]] = {EMBEDDINGS: (self.vocab_size, hidden), "model.norm.weight": (hidden,)}
        for index in range(self.num_hidden_layers):
            shapes |= {f"model.layers.{index}.{name}.weight": shape for name, shape in layer.items()}
        return shapes if self.tie_word_embeddings else shapes | {PROJECTION: (self.vocab_size, hidden)}


class _TokenizerConfig(msgspec.Struct):
    bos_token: "str | _AddedToken | None" = None
    eos_token: "str | _AddedToken | None" = None
    pad_token: "str | _AddedToken | None" = None
    unk_token: "str | _AddedToken | None" = None


class _AddedToken(msgspec.Struct):
    content: str


class _ShardIndex(msgspec.Struct):
    weight_map: dict[str, str]


def open_checkpoint(folder: Path) -> Checkpoint:
    """Check a checkpoint folder and open it.

    Raises:
        CheckpointError: a file is missing, damaged or not supported; names it.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder: give the folder of a Hugging Face checkpoint.")
    config = _read_config(folder / "config.json")
    tensors = _read_tensors(folder)
    _check_tensors(folder, config, tensors)
    tokens = _read_tokens(folder, config)
    special = _read_special_tokens(folder, config, tokens)
    return Checkpoint(folder, config, tensors, tokens, *special)


def read_json(path: Path, as_type: type[_T]) -> _T:
    """Decode a JSON file of a checkpoint or an adapter. Raises CheckpointError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=as_type)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing: copy or download the whole folder again.") from error
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}. Copy or download it again.") from error


def _read_config(path: Path) -> Qwen3Config:
    model_type = read_json(path, _ModelType).model_type
    if model_type != "qwen3":
        raise CheckpointError(f"{path}: model_type is {model_type!r}, expected 'qwen3': use a Qwen3 checkpoint.")
    config = read_json(path, Qwen3Config)
    ropes = [rope for rope in (config.rope_scaling, config.rope_parameters) if rope is not None]
    refusals = {
        "rope_scaling is not supported": any((rope.rope_type or rope.type) not in (None, "default") for rope in ropes),
        "rope_theta is missing": config.rotary_base is None,
        "hidden_act must be 'silu'": config.hidden_act != "silu",
        "attention_bias is not supported": config.attention_bias,
        "sliding window attention is not supported": config.use_sliding_window
        or any(kind != "full_attention" for kind in config.layer_types or ()),
        "quantization_config is set, the weights must be plain": config.quantization_config is not None,
        "head_dim must be even": config.head_dim % 2 != 0,
        "num_attention_heads must be a multiple of num_key_value_heads": config.num_attention_heads
        % config.num_key_value_heads
        != 0,
    }
    for reason, refused in refusals.items():
        if refused:
            raise CheckpointError(f"{path}: {reason}: use a plain Qwen3 checkpoint such as Qwen/Qwen3-0.6B.")
    return config


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.exists():
        return read_safetensors(single)
    if not index.exists():
        raise CheckpointError(
            f"{folder} has neither {single.name} nor {index.name}: "
            "download the whole checkpoint, or save it with save_pretrained(safe_serialization=True)."
        )
    weight_map = read_json(index, _ShardIndex).weight_map
    tensors: dict[str, Tensor] = {}
    for shard in sorted(set(weight_map.values())):
        if Path(shard).name != shard:
            raise CheckpointError(f"{index}: {shard!r} is not a plain file name: download the index again.")
        found = read_safetensors(folder / shard)
        listed = {name for name, file in weight_map.items() if file == shard}
        for name in sorted(listed ^ found.keys()):
            where = "lists it but the shard has no" if name in listed else "does not list the shard's"
            raise CheckpointError(f"{index} and {shard} disagree: the index {where} {name}. Download both again.")
        tensors |= found
    return tensors


def _check_tensors(folder: Path, config: Qwen3Config, tensors: Mapping[str, Tensor]) -> None:
    expected = config.shapes()
    for name, shape in expected.items():
        if name not in tensors:
            raise CheckpointError(f"{folder}: tensor {name} is missing: use a complete Qwen3ForCausalLM checkpoint.")
        if tensors[name].shape != shape:
            raise CheckpointError(
                f"{folder}: {name} has shape {list(tensors[name].shape)}, config.json expects {list(shape)}: "
                "take both from the same checkpoint."
            )
    # If a tensor were ignored, the model would silently answer differently.
    for name in sorted(tensors.keys() - expected.keys()):
        if name != PROJECTION:
            raise CheckpointError(f"{folder}: tensor {name} does not belong to the model that config.json describes.")
        if not _same_bytes(tensors[PROJECTION], tensors[EMBEDDINGS]):
            raise CheckpointError(
                f"{folder}: config.json ties the embeddings but {PROJECTION} differs from {EMBEDDINGS}: "
                'set "tie_word_embeddings" to false if both are meant.'
            )


def _same_bytes(one: Tensor, other: Tensor) -> bool:
    if (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    step = 4096
    return all(
        np.array_equal(one.rows(row, min(row + step, one.shape[0])), other.rows(row, min(row + step, one.shape[0])))
        for row in range(0, one.shape[0], step)
    )


def _read_tokens(folder: Path, config: Qwen3Config) -> list[str]:
    """The vocabulary by id. Unused ids get the names that CTranslate2's own converter gives them."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise CheckpointError(f"{path} is missing: copy it from the checkpoint's page on the hub.")
    try:
        vocabulary = tokenizers.Tokenizer.from_file(str(path)).get_vocab(with_added_tokens=True)
    except Exception as error:  # the tokenizers library raises nothing narrower
        raise CheckpointError(f"{path} is not a tokenizer: {error}. Download it again.") from error
    largest = max(vocabulary.values(), default=-1)
    if largest >= config.vocab_size:
        raise CheckpointError(
            f"{path}: token id {largest} is beyond vocab_size {config.vocab_size}: "
            "take tokenizer.json and config.json from the same checkpoint."
        )
    by_id = {token_id: token for token, token_id in vocabulary.items()}
    unused = (token_id for token_id in range(config.vocab_size) if token_id not in by_id)
    by_id |= {token_id: f"<extra_id_{number}>" for number, token_id in enumerate(list(unused))}
    return [by_id[token_id] for token_id in range(config.vocab_size)]


def _read_special_tokens(folder: Path, config: Qwen3Config, tokens: list[str]) -> tuple[str, str, str]:
    """Beginning, end and unknown token, chosen as CTranslate2's own converter does."""
    path = folder / "tokenizer_config.json"
    named = read_json(path, _TokenizerConfig) if path.exists() else _TokenizerConfig()
    eos_id = config.eos_token_id[0] if isinstance(config.eos_token_id, list) else config.eos_token_id
    bos = _text(named.bos_token) or _text(named.pad_token) or _token(tokens, config.bos_token_id)
    eos = _text(named.eos_token) or _token(tokens, eos_id)
    for token in (bos, eos):
        if token not in tokens:
            raise CheckpointError(
                f"{folder}: no end-of-text token (found {token!r}): "
                "tokenizer_config.json must name eos_token and pad_token, both in tokenizer.json."
            )
    return bos, eos, _text(named.unk_token)


def _text(token: "str | _AddedToken | None") -> str:
    return token.content if isinstance(token, _AddedToken) else token or ""


def _token(tokens: list[str], token_id: int | None) -> str:
    return tokens[token_id] if token_id is not None and 0 <= token_id < len(tokens) else ""
