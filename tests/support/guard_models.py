"""Tiny models in the shape of Qwen3Guard: with random weights, or with a given verdict and category.

The chat template is ours. It has the form of the published one: an instruction, the text after ``USER: ``, categories
and the format of the answer after it, and an empty thinking block.
"""

from collections.abc import Mapping
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from sluicegate.models.compiler.compile import compile_checkpoint
from tests.support.checkpoints import TINY, write_checkpoint
from tests.support.compiled import CERTAIN, IM_END, write_scripted_checkpoint

TEMPLATE = (
    "{%- for message in messages %}{%- if loop.last %}<|im_start|>user\n"
    "Say how safe the last text is.\n\nTEXT\n\nUSER: {{ message.content }}\n\n\nCategories: Violent, PII.\n"
    "Answer in two lines.<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n{% endif %}{% endfor %}"
)

_TIERS = (" Safe", " Controversial", " Unsafe")
_CATEGORIES = "Categories:"
_CONTROLS = (IM_END, "<|im_start|>", "<think>", "</think>")


def compiled_guard(folder: Path, tokenizer: Tokenizer | None = None) -> Path:
    """A guard with random weights; its probabilities mean nothing. `tokenizer` is by default a small one."""
    tokenizer = tokenizer or guard_tokenizer()
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    shape = TINY.__class__(**{**TINY.__dict__, "vocab_size": max(size, TINY.vocab_size)})
    checkpoint = write_checkpoint(_beside(folder), shape, dtype="float32", tokenizer=tokenizer)
    return _compiled(checkpoint, folder)


def compiled_verdict(folder: Path, tiers: Mapping[str, float], answer: str = "") -> Path:
    """A guard that gives `tiers` as logits (keys: Safe, Controversial, Unsafe) and names `answer` as its category."""
    tokenizer = guard_tokenizer(answer)
    after = {
        ":": {f" {tier}": logit for tier, logit in tiers.items()},
        _CATEGORIES: {answer or IM_END: CERTAIN},
        answer or IM_END: {IM_END: CERTAIN},
    }
    return _compiled(write_scripted_checkpoint(_beside(folder), tokenizer, after, given_tokenizer=tokenizer), folder)


def guard_tokenizer(*answers: str) -> Tokenizer:
    """Single bytes, and one token for each tier, for ``Categories:`` and for each of `answers`."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({IM_END: 0, **{byte: 1 + i for i, byte in enumerate(alphabet)}}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    added = [*_CONTROLS, *_TIERS, _CATEGORIES, *filter(None, answers)]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in added])
    return tokenizer


def _compiled(checkpoint: Path, folder: Path) -> Path:
    (checkpoint / "chat_template.jinja").write_text(TEMPLATE)
    compile_checkpoint(checkpoint, folder, quantization="float32", prompt_style="qwen3guard", name=folder.name)
    return folder


def _beside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-checkpoint")
