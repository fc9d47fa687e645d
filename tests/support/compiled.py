"""Tiny compiled models for tests: with random weights, or with weights that write a given answer.

Compiling one takes a fraction of a second.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from sluicegate.models.artifacts.manifest import PromptStyleName, read_manifest, write_manifest
from sluicegate.models.compiler.compile import compile_checkpoint
from sluicegate.models.data.vocabulary import train_tokenizer
from tests.support.checkpoints import TINY, Shape, write_checkpoint

_CERTAIN = 20.0
"""The logit of the token that a scripted model writes; every other token has 0."""


def embedded_tokenizer() -> Tokenizer:
    """A tokenizer of the embedded prompt style whose text tokens are single bytes."""
    return train_tokenizer([])


def compiled_tiny(folder: Path, prompt_style: PromptStyleName) -> Path:
    """A model with random weights: its probabilities differ between queries, and its answers mean nothing."""
    return _compiled(folder, prompt_style, TINY, {}, tied=True)


def compiled_script(folder: Path, follows: Mapping[str, str | Mapping[str, float]]) -> Path:
    """An embedded model that writes ``follows[token]`` after `token`, whatever came before, or has those logits.

    Its embeddings are one-hot, its layers add nothing, and its projection is the table of what follows which token.
    """
    tokenizer = embedded_tokenizer()
    size = TINY.vocab_size
    shape = replace(TINY, hidden_size=size, num_hidden_layers=1)
    projection = np.zeros((size, size), np.float32)
    for token, next_tokens in follows.items():
        logits = {next_tokens: _CERTAIN} if isinstance(next_tokens, str) else next_tokens
        for next_token, logit in logits.items():
            # The last norm scales the one-hot vector to the square root of its size.
            projection[tokenizer.token_to_id(next_token), tokenizer.token_to_id(token)] = logit / size**0.5
    given = {
        "model.embed_tokens.weight": np.eye(size, dtype=np.float32),
        "model.norm.weight": np.ones(size, np.float32),
        "model.layers.0.self_attn.o_proj.weight": np.zeros((size, shape.num_attention_heads * shape.head_dim), "f4"),
        "model.layers.0.mlp.down_proj.weight": np.zeros((size, shape.intermediate_size), "f4"),
        "lm_head.weight": projection,
    }
    return _compiled(folder, "embedded", shape, given, tied=False)


def edit_manifest(folder: Path, **changes: object) -> None:
    """Replace fields of a compiled model's manifest."""
    write_manifest(folder, msgspec.structs.replace(read_manifest(folder), **changes))


def _compiled(
    folder: Path, prompt_style: PromptStyleName, shape: Shape, given: Mapping[str, NDArray[np.float32]], *, tied: bool
) -> Path:
    checkpoint = write_checkpoint(
        folder.with_name(f"{folder.name}-checkpoint"),
        shape,
        dtype="float32",
        tied=tied,
        tokenizer=embedded_tokenizer() if prompt_style == "embedded" else None,
        given=given,
    )
    compile_checkpoint(
        checkpoint,
        folder,
        quantization="float32",
        prompt_style=prompt_style,
    )
    return folder


def compiled_twins(folder: Path) -> tuple[Path, Path]:
    """Two models in `folder` with the same weights; the second is named "second"."""
    first, second = compiled_tiny(folder / "first", "embedded"), folder / "second"
    shutil.copytree(first, second)
    edit_manifest(second, name="second")
    return first, second
