"""The embedded model's words: its tokenizer, and the lexicon that gives its hints.

The tokenizer is a small byte-level BPE, lower-cased, with the control tokens at the front. It is small on purpose: a
misspelt word then falls into pieces of one to three letters, so that the model sees its spelling, and the embedding
table stays a small part of the weights.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import Final

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from sluicegate.models.data.products import catalogue_phrases
from sluicegate.models.inference.embedded_format import CONTROL_TOKENS
from sluicegate.models.text.lexicon import Lexicon

VOCABULARY_SIZE: Final = 2048

_LEAST_USES: Final = 5  # of a word in the rows; rarer ones are as often misspelt
_WORD: Final = re.compile(r"[a-z]{3,}")


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


def english_words(limit: int | None = None) -> list[tuple[str, int]]:
    """Words of symspellpy's frequency dictionary with their counts, commonest first."""
    dictionary = files("symspellpy").joinpath("frequency_dictionary_en_82_765.txt").read_text("utf-8-sig")
    pairs = (line.split() for line in dictionary.splitlines()[:limit])
    return [(word, int(count)) for word, count in pairs]


def build_lexicon(rows: Iterable[str]) -> Lexicon:
    """The words of books, of the catalogue with ``words.txt``, and of `rows`, weighted 5 to 4 to 1."""
    recent = files("sluicegate.models.data").joinpath("words.txt").read_text("utf-8")
    catalogue, written = _count([*catalogue_phrases(), recent]), _count(rows)
    for word in [word for word in catalogue if not word.endswith("s")]:
        catalogue[f"{word}s"] += 1  # few nouns of the catalogue are plural; many queries are
    frequent = {word: count for word, count in written.items() if count >= _LEAST_USES}
    weights: Counter[str] = Counter()
    for share, counts in ((0.5, dict(english_words())), (0.4, catalogue), (0.1, frequent)):
        whole = sum(counts.values())
        for word, count in counts.items():
            weights[word] += max(1, round(1e9 * share * count / whole))
    return Lexicon(dict(weights.most_common()))


def _count(texts: Iterable[str]) -> Counter[str]:
    def words() -> Iterator[str]:
        for text in texts:
            yield from _WORD.findall(text.lower())

    return Counter(words())
