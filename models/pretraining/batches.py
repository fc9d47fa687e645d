"""Training examples as batches of tensors.

Batch `n` is a pure function of the seed, so a stopped run resumes exactly.
"""

import random
from collections.abc import Iterator
from typing import Final, NamedTuple

import torch
from tokenizers import Tokenizer

from sluicegate.models.inference.labels import LABELS
from sluicegate.models.pretraining.mixture import Mixture
from sluicegate.models.pretraining.network import AISLE_NAMES, INTENTS
from sluicegate.models.pretraining.permitted_rows import Example

MAX_QUERY_TOKENS: Final = 64
UNTOLD: Final = -100
"""The target of what a row does not tell; torch's loss ignores it."""

_POOL: Final = 40  # batches drawn, sorted by length and shuffled together


class Batch(NamedTuple):
    """`ids` and `mask` are (queries, length); the targets are (queries,)."""

    ids: torch.Tensor
    mask: torch.Tensor
    labels: torch.Tensor
    intents: torch.Tensor
    aisles: torch.Tensor


class Batches:
    """Batches drawn for ever from the mixture."""

    def __init__(self, mixture: Mixture, tokenizer: Tokenizer, size: int, seed: str) -> None:
        self._mixture, self._tokenizer, self._size, self._seed = mixture, tokenizer, size, seed
        vocabulary = tokenizer.get_vocab()
        self._first, self._last = vocabulary["[CLS]"], vocabulary["[SEP]"]
        tokenizer.encode_special_tokens = True

    def from_step(self, step: int) -> Iterator[Batch]:
        """The batches from `step` on."""
        pool, skip = divmod(step, _POOL)
        while True:
            yield from self._pool(pool)[skip:]
            pool, skip = pool + 1, 0

    def _pool(self, index: int) -> list[Batch]:
        examples = self._mixture.draw(_POOL * self._size, f"{self._seed}-{index}")
        encodings = self._tokenizer.encode_batch_fast([example.text for example in examples], add_special_tokens=False)
        rows = [
            ([self._first, *encoding.ids[: MAX_QUERY_TOKENS - 2], self._last], example)
            for encoding, example in zip(encodings, examples, strict=True)
        ]
        rows.sort(key=lambda row: len(row[0]))
        groups = [rows[i : i + self._size] for i in range(0, len(rows), self._size)]
        random.Random(index).shuffle(groups)  # noqa: S311 - reproducible order, not a secret
        return [_tensors(group) for group in groups]


def _tensors(rows: list[tuple[list[int], Example]]) -> Batch:
    length = max(len(ids) for ids, _ in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    mask = torch.zeros(len(rows), length, dtype=torch.long)
    for i, (row, _) in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
    examples = [example for _, example in rows]
    return Batch(
        ids,
        mask,
        torch.tensor([LABELS.index(example.label) for example in examples]),
        torch.tensor([UNTOLD if example.intent is None else INTENTS.index(example.intent) for example in examples]),
        torch.tensor([UNTOLD if example.aisle is None else AISLE_NAMES.index(example.aisle) for example in examples]),
    )
