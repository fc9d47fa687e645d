"""Tiny compiled models for tests: with random weights, or with weights that write a given answer.

Compiling one takes a fraction of a second.
"""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from sluicegate.models.artifacts.manifest import PromptStyleName, read_manifest, write_manifest
from sluicegate.models.compiler.compile import compile_checkpoint
from sluicegate.models.inference.prompts import HINT
from tests.support.checkpoints import TINY, write_checkpoint
from tests.support.encoder_checkpoints import write_encoder_checkpoint

CERTAIN = 20.0
"""The logit of the token that a scripted model writes; every other token has 0."""

IM_END = "<|im_end|>"


def compiled_tiny(folder: Path, prompt_style: PromptStyleName) -> Path:
    """A model with random weights: its probabilities differ between queries, and its answers mean nothing."""
    return _compiled(_checkpoint(folder, prompt_style), folder, prompt_style)


def compiled_script(folder: Path, follows: Mapping[str, str | Mapping[str, float]]) -> Path:
    """An adapted Qwen3 that writes ``follows[token]`` after `token`, whatever came before, or has those logits.

    Tokens that are longer than one character are added to the vocabulary. The model's embeddings are one-hot, its
    layers add nothing, and its projection is the table of what follows which token.
    """
    after = {token: {next_: CERTAIN} if isinstance(next_, str) else next_ for token, next_ in follows.items()}
    tokenizer = _script_tokenizer([*after, *(token for logits in after.values() for token in logits)])
    checkpoint = write_scripted_checkpoint(_beside(folder), tokenizer, after, given_tokenizer=tokenizer)
    return _compiled(checkpoint, folder, "adapted")


def write_scripted_checkpoint(
    folder: Path,
    tokenizer: Tokenizer,
    after: Mapping[str, Mapping[str, float]],
    *,
    given_tokenizer: Tokenizer | None = None,
) -> Path:
    """A Qwen3 whose logits after each token are those of `after`: one-hot embeddings, layers that add nothing.

    `tokenizer` has the ids. Without `given_tokenizer` the checkpoint gets the Qwen-like one.
    """
    size = TINY.vocab_size
    projection = np.zeros((size, size), np.float32)
    for token, logits in after.items():
        for next_token, logit in logits.items():
            # The last norm scales the one-hot vector to the square root of its size.
            projection[tokenizer.token_to_id(next_token), tokenizer.token_to_id(token)] = logit / size**0.5
    shape = replace(TINY, hidden_size=size, num_hidden_layers=1)
    given = {
        "model.embed_tokens.weight": np.eye(size, dtype=np.float32),
        "model.norm.weight": np.ones(size, np.float32),
        "model.layers.0.self_attn.o_proj.weight": np.zeros((size, shape.num_attention_heads * shape.head_dim), "f4"),
        "model.layers.0.mlp.down_proj.weight": np.zeros((size, shape.intermediate_size), "f4"),
        "lm_head.weight": projection,
    }
    return write_checkpoint(folder, shape, dtype="float32", tied=False, tokenizer=given_tokenizer, given=given)


def _script_tokenizer(tokens: Iterable[str]) -> Tokenizer:
    """Single bytes, and the `tokens` that are longer; the end of a message is token 0."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({IM_END: 0, **{byte: 1 + i for i, byte in enumerate(alphabet)}}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    longer = [token for token in dict.fromkeys((IM_END, HINT, *tokens)) if len(token) > 1]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in longer])
    return tokenizer


def edit_manifest(folder: Path, **changes: object) -> None:
    """Replace fields of a compiled model's manifest."""
    write_manifest(folder, msgspec.structs.replace(read_manifest(folder), **changes))


def _checkpoint(folder: Path, prompt_style: PromptStyleName) -> Path:
    if prompt_style == "embedded":
        return write_encoder_checkpoint(_beside(folder))
    return write_checkpoint(_beside(folder), TINY, dtype="float32", tied=True)


def _beside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-checkpoint")


def _compiled(checkpoint: Path, folder: Path, prompt_style: PromptStyleName) -> Path:
    compile_checkpoint(checkpoint, folder, quantization="float32", prompt_style=prompt_style)
    return folder


def compiled_twins(folder: Path) -> tuple[Path, Path]:
    """Two models in `folder` with the same weights; the second is named "second"."""
    first, second = compiled_tiny(folder / "first", "embedded"), folder / "second"
    shutil.copytree(first, second)
    edit_manifest(second, name="second")
    return first, second
