"""A model of Qwen3-0.6B's shape with random weights and Qwen3's own tokenizer, and the queries that it is asked.

The work is that of real weights. What it writes is given: a few dimensions of the embeddings are so large that the
layers' noise does not matter. They lead from the end of the prompt to the first token of the answer, and from each
token of the answer to the next. The last token is followed by itself until the answer ends.
"""

import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from sluicegate.models.artifacts.manifest import PromptStyleName
from sluicegate.models.compiler.compile import compile_checkpoint
from sluicegate.models.data.products import product_query
from tests.support.checkpoints import QWEN3_0_6B, write_checkpoint
from tests.support.qwen3_tokenizer import fetched_tokenizer

GGUF: Final = "model.gguf"

_SEED: Final = 11
_ENDS_OF_PROMPTS: Final = ("<|im_end|>", "ĊĊ")
"""The last tokens of the prompts of the styles `adapted` and `zero_shot`."""
_FIRST: Final = 1000.0
_GROWTH: Final = 4.0
"""How much larger a token's dimensions are than those of the token before it, which must not be followed by itself."""


def product_queries(count: int) -> list[str]:
    """Product queries, the same for every run."""
    rng = random.Random(_SEED)
    return [product_query(rng).text for _ in range(count)]


def build(folder: Path, styles: Sequence[PromptStyleName], answer: Sequence[str], *, for_peers: bool) -> float:
    """Write a checkpoint that writes the tokens `answer`, and compile it for each of `styles`, in a folder of its name.

    Returns the seconds that compiling it once took. What is there already is kept.
    """
    checkpoint = folder / "checkpoint"
    if not checkpoint.is_dir():
        tokenizer = Tokenizer.from_file(str(fetched_tokenizer()))
        write_checkpoint(checkpoint, QWEN3_0_6B, shards=2, tokenizer=tokenizer, given=_weights(tokenizer, answer))
    if for_peers and not (folder / GGUF).is_file():
        from benchmarks.peers import write_gguf

        write_gguf(checkpoint, folder / GGUF)
    missing = [style for style in styles if not (folder / style).is_dir()]
    started = time.perf_counter()
    for style in missing:
        compile_checkpoint(checkpoint, folder / style, quantization="int8", prompt_style=style)
    return (time.perf_counter() - started) / max(1, len(missing))


def _weights(tokenizer: Tokenizer, answer: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    embeddings = np.random.default_rng(_SEED).standard_normal((QWEN3_0_6B.vocab_size, QWEN3_0_6B.hidden_size), "f4")
    links = len(answer)
    embeddings[:, :links] = 0
    for end in _ENDS_OF_PROMPTS:
        embeddings[tokenizer.token_to_id(end), 0] = _FIRST
    for place, token in enumerate(answer):
        size = _FIRST * _GROWTH ** (place + 1)
        embeddings[tokenizer.token_to_id(token), place : place + 2] = size
        embeddings[tokenizer.token_to_id(token), links:] = 0
    last_norm = np.zeros(QWEN3_0_6B.hidden_size, "f4")
    last_norm[:links] = 1
    return {"model.embed_tokens.weight": embeddings, "model.norm.weight": last_norm}
