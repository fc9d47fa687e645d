"""The embedded model's own tokenizer: a small byte-level BPE, lower-cased, with the control tokens at the front.

Small on purpose: a misspelt word then falls into pieces of one to three letters, which is where spelling lives, and the
embedding table stays a small part of the weights.
"""

from collections.abc import Iterable
from typing import Final

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from models.tuned_format import CONTROL_TOKENS

VOCABULARY_SIZE: Final = 2048


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """A tokenizer of `VOCABULARY_SIZE` tokens whose first ids are `CONTROL_TOKENS`, learnt from `texts`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Prepend(" ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # digits one by one: numbers are copied, never guessed
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=list(CONTROL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
