"""The tokenizer of the embedded model: WordPiece in lower case, with accents folded.

Signs, emoji, letters of other scripts and parts of endless words stand alone: no word becomes unknown because of one.
"""

from collections.abc import Iterable
from typing import Final

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

UNKNOWN: Final = "[UNK]"
SPECIAL: Final = ("[PAD]", UNKNOWN, "[CLS]", "[SEP]")

_APART: Final = r"[^a-z0-9\s]|[a-z0-9]{32}"


def wordpiece_tokenizer(pieces: Iterable[str]) -> Tokenizer:
    """A tokenizer of `pieces`, in order of id; `SPECIAL` must be among them."""
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(_APART), "isolated")]
    )
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer
