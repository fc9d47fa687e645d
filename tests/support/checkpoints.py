"""Random checkpoints in the shape of Qwen3, made with numpy alone: small for tests, full size for benchmarks.

    write_checkpoint(folder, QWEN3_0_6B, shards=2)

The weights are noise, scaled so that activations stay finite; the tokenizer is a real byte-level BPE with Qwen3's
special tokens at its top ids.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers

# Qwen3's added tokens by id, and the first that is not marked special (tokenizer.json of Qwen/Qwen3-0.6B).
SPECIAL_TOKENS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>"),
    *("<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>"),
    *("<think>", "</think>"),
)
_FIRST_NOT_SPECIAL = SPECIAL_TOKENS.index("<tool_call>")
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_MERGES = (("t", "h"), ("th", "e"), ("i", "n"), ("e", "r"), ("o", "n"), ("a", "n"), ("Ġ", "s"), ("Ġ", "a"), ("r", "e"))
_BLOCK_ROWS = 8192

DType = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Shape:
    """The sizes of a Qwen3 model, by their names in config.json."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int


TINY = Shape(64, 96, 2, 4, 2, 32, 320)
QWEN3_0_6B = Shape(1024, 3072, 28, 16, 8, 128, 151_936)


def write_checkpoint(
    folder: Path,
    shape: Shape = TINY,
    *,
    dtype: DType = "bfloat16",
    shards: int = 1,
    tied: bool = True,
    seed: int = 0,
    tokenizer: tokenizers.Tokenizer | None = None,
    given: Mapping[str, NDArray[np.float32]] | None = None,
) -> Path:
    """Write a checkpoint in the hub's format, and return its folder. The full size takes about 1.2 GB in bfloat16.

    A given `tokenizer` replaces the Qwen-like one; its token 0 ends a sequence. The `given` tensors are written in
    place of noise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        **asdict(shape),
        "attention_bias": False,
        "bos_token_id": 0 if tokenizer else 256 + len(_MERGES),
        "eos_token_id": 0 if tokenizer else 256 + len(_MERGES) + SPECIAL_TOKENS.index("<|im_end|>"),
        "hidden_act": "silu",
        "max_position_embeddings": 40960,
        "rms_norm_eps": 1e-6,
        "rope_scaling": None,
        "rope_theta": 1_000_000,
        "sliding_window": None,
        "tie_word_embeddings": tied,
        "torch_dtype": dtype,
        "use_sliding_window": False,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    if tokenizer:
        tokenizer.save(str(folder / "tokenizer.json"))
    else:
        write_tokenizer(folder)
    shapes = list(_tensor_shapes(shape, tied).items())
    random = np.random.default_rng(seed)
    files = [f"model-{number:05}-of-{shards:05}.safetensors" for number in range(1, shards + 1)]
    if shards == 1:
        write_safetensors(folder / "model.safetensors", dict(shapes), dtype, random, given)
        return folder
    parts = [dict(shapes[number::shards]) for number in range(shards)]
    for file, part in zip(files, parts, strict=True):
        write_safetensors(folder / file, part, dtype, random, given)
    weight_map = {name: file for file, part in zip(files, parts, strict=True) for name in part}
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def write_safetensors(
    path: Path,
    shapes: dict[str, tuple[int, ...]],
    dtype: DType,
    random: np.random.Generator,
    given: Mapping[str, NDArray[np.float32]] | None = None,
) -> None:
    """Write the `given` tensors, and random ones block by block, so that the full size needs little memory."""
    given = given or {}
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shapes.items():
        end = offset + int(np.prod(shape)) * (2 if dtype == "bfloat16" else 4)
        header[name] = {
            "dtype": "BF16" if dtype == "bfloat16" else "F32",
            "shape": shape,
            "data_offsets": [offset, end],
        }
        offset = end
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for name, shape in shapes.items():
            for block in [given[name]] if name in given else _random_blocks(name, shape, random):
                # The upper half of a float32 is a valid bfloat16, though not always the nearest.
                file.write(((block.view(np.uint32) >> 16).astype("<u2") if dtype == "bfloat16" else block).tobytes())


def write_tokenizer(folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json: bytes, a few merges, then Qwen3's special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*alphabet, *("".join(pair) for pair in _MERGES)])}
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=list(_MERGES)))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    for index, token in enumerate(SPECIAL_TOKENS):
        tokenizer.add_tokens([AddedToken(token, special=index < _FIRST_NOT_SPECIAL, normalized=False)])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "Qwen2Tokenizer",
        "bos_token": None,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "unk_token": None,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2))


def _tensor_shapes(shape: Shape, tied: bool) -> dict[str, tuple[int, ...]]:
    hidden, inner, head = shape.hidden_size, shape.intermediate_size, shape.head_dim
    query, key = shape.num_attention_heads * head, shape.num_key_value_heads * head
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (shape.vocab_size, hidden)}
    for index in range(shape.num_hidden_layers):
        layer = f"model.layers.{index}"
        shapes |= {
            f"{layer}.input_layernorm.weight": (hidden,),
            f"{layer}.self_attn.q_proj.weight": (query, hidden),
            f"{layer}.self_attn.k_proj.weight": (key, hidden),
            f"{layer}.self_attn.v_proj.weight": (key, hidden),
            f"{layer}.self_attn.o_proj.weight": (hidden, query),
            f"{layer}.self_attn.q_norm.weight": (head,),
            f"{layer}.self_attn.k_norm.weight": (head,),
            f"{layer}.post_attention_layernorm.weight": (hidden,),
            f"{layer}.mlp.gate_proj.weight": (inner, hidden),
            f"{layer}.mlp.up_proj.weight": (inner, hidden),
            f"{layer}.mlp.down_proj.weight": (hidden, inner),
        }
    shapes["model.norm.weight"] = (hidden,)
    return shapes if tied else shapes | {"lm_head.weight": (shape.vocab_size, hidden)}


def _random_blocks(name: str, shape: tuple[int, ...], random: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    is_norm = len(shape) == 1
    for start in range(0, shape[0], _BLOCK_ROWS):
        rows = min(_BLOCK_ROWS, shape[0] - start)
        noise = random.standard_normal((rows, *shape[1:]), dtype=np.float32)
        yield 1 + noise * np.float32(0.1) if is_norm else noise * np.float32(shape[1] ** -0.5)
