"""The encoder's vocabulary: the pieces of its teacher's that queries need, and tokens for common emoji.

The full table of 30,522 pieces would be half of the weights. A word whose piece is dropped falls into shorter ones, as
in every WordPiece vocabulary. A new emoji token starts as the mean of the pieces of its Unicode name.
"""

import string
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Final

import torch

from sluicegate.models.data.wordpiece import SPECIAL, wordpiece_tokenizer
from sluicegate.models.pretraining.pretrained import PretrainedEncoder

VOCABULARY_SIZE: Final = 11_264
_EMOJI: Final = 240
_PREFIX: Final = "##"


def choose_pieces(texts: Iterable[str], pretrained: PretrainedEncoder) -> list[str]:
    """`VOCABULARY_SIZE` tokens: special ones, every letter, digit and sign, then what `texts` use most."""
    full = wordpiece_tokenizer(pretrained.pieces)
    pieces: Counter[str] = Counter()
    emoji: Counter[str] = Counter()
    for text in texts:
        pieces.update(full.encode(text, add_special_tokens=False).tokens)
        emoji.update(char for char in text if _is_emoji(char))
    characters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    always = [piece for char in characters for piece in (char, _PREFIX + char) if piece in set(pretrained.pieces)]
    known = set(pretrained.pieces)
    new = [char for char, _ in emoji.most_common() if char not in known][:_EMOJI]
    chosen = dict.fromkeys([*SPECIAL, *always, *new])
    for piece, _ in pieces.most_common():
        if len(chosen) == VOCABULARY_SIZE:
            break
        chosen[piece] = None
    return list(chosen)


def initial_embeddings(pieces: list[str], pretrained: PretrainedEncoder) -> torch.Tensor:
    """(pieces, dimensions): the teacher's row of each piece; for a new one, the mean of the rows of its name."""
    table = pretrained.tensors["embeddings.word_embeddings.weight"].float()
    rows = {piece: i for i, piece in enumerate(pretrained.pieces)}
    full = wordpiece_tokenizer(pretrained.pieces)

    def row(piece: str) -> torch.Tensor:
        if piece in rows:
            return table[rows[piece]]
        name = unicodedata.name(piece, "emoji").lower()
        return table[full.encode(name, add_special_tokens=False).ids].mean(0)

    return torch.stack([row(piece) for piece in pieces])


def _is_emoji(char: str) -> bool:
    return unicodedata.category(char) == "So" and ord(char) >= 0x2190
