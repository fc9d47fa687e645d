"""Tiny compiled Qwen3 models that chat: one with random weights, and one that writes a given answer."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from sluicegate.models.compiler.compile import compile_checkpoint
from sluicegate.models.inference.chat_text import BYTES
from tests.support.checkpoints import TINY, write_checkpoint, write_tokenizer

END = "<|im_end|>"
_CERTAIN = 20.0
"""The logit of the token that a scripted model writes; every other token has 0."""
_CHARACTERS = {byte: character for character, byte in BYTES.items()}


def token_of(byte: int) -> str:
    """The token that is this one byte."""
    return _CHARACTERS[byte]


def compiled_chat(folder: Path, *, template: str | None = None) -> Path:
    """A Qwen3 model with random weights; its answers mean nothing."""
    checkpoint = write_checkpoint(folder.with_name(f"{folder.name}-checkpoint"), dtype="float32")
    return _compiled(folder, checkpoint, template)


def compiled_answer(folder: Path, answer: str, *, then: str = END, template: str | None = None) -> Path:
    """A Qwen3 model that writes `answer`, a byte a token, and `then`. No byte comes twice in it, and no line feed.

    What it writes depends on the last token alone, so the answer must begin after the line feed that ends a prompt.
    """
    chain = [*map(token_of, b"\n" + answer.encode()), then]
    follows = dict(itertools.pairwise(chain))
    return _compiled(folder, _scripted_checkpoint(folder.with_name(f"{folder.name}-checkpoint"), follows), template)


def _scripted_checkpoint(folder: Path, follows: Mapping[str, str]) -> Path:
    """One-hot embeddings, layers that add nothing, and a projection that is the table of what follows which token."""
    folder.mkdir(parents=True)
    write_tokenizer(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    size = TINY.vocab_size
    shape = replace(TINY, hidden_size=size, num_hidden_layers=1)
    projection = np.zeros((size, size), np.float32)
    for token, following in follows.items():
        # The last norm scales the one-hot vector to the square root of its size.
        projection[tokenizer.token_to_id(following), tokenizer.token_to_id(token)] = _CERTAIN / size**0.5
    given = {
        "model.embed_tokens.weight": np.eye(size, dtype=np.float32),
        "model.norm.weight": np.ones(size, np.float32),
        "model.layers.0.self_attn.o_proj.weight": np.zeros((size, shape.num_attention_heads * shape.head_dim), "f4"),
        "model.layers.0.mlp.down_proj.weight": np.zeros((size, shape.intermediate_size), "f4"),
        "lm_head.weight": projection,
    }
    return write_checkpoint(folder, shape, dtype="float32", tied=False, given=given)


def _compiled(folder: Path, checkpoint: Path, template: str | None) -> Path:
    if template is not None:
        (checkpoint / "chat_template.jinja").write_text(template)
    compile_checkpoint(checkpoint, folder, quantization="float32", prompt_style="zero_shot", name=folder.name)
    return folder
