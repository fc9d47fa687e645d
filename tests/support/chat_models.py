"""Tiny compiled Qwen3 models that chat: one with random weights, and one that writes a given answer."""

import itertools
from collections.abc import Mapping
from pathlib import Path

from tokenizers import Tokenizer

from sluicegate.models.compiler.compile import compile_checkpoint
from sluicegate.models.inference.chat_text import BYTES
from tests.support.checkpoints import write_checkpoint, write_tokenizer
from tests.support.compiled import CERTAIN, write_scripted_checkpoint

END = "<|im_end|>"
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
    folder.mkdir(parents=True)
    write_tokenizer(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return write_scripted_checkpoint(folder, tokenizer, {token: {next_: CERTAIN} for token, next_ in follows.items()})


def _compiled(folder: Path, checkpoint: Path, template: str | None) -> Path:
    if template is not None:
        (checkpoint / "chat_template.jinja").write_text(template)
    compile_checkpoint(checkpoint, folder, quantization="float32", prompt_style="zero_shot", name=folder.name)
    return folder
