"""One call of a compiled generator: the tokens that it writes after each prompt, and the logits that were asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluicegate.models.inference.judge import EncodedQuery
from sluicegate.models.inference.prompts import Frame


@dataclass(frozen=True, slots=True)
class Generation:
    """The tokens that the model wrote for one query, and the logits of each step where they were kept."""

    ids: list[int]
    logits: Sequence[Any]


def generate(generator: Any, batch: Sequence[EncodedQuery], frame: Frame, **options: Any) -> list[Generation]:
    """What the model writes after each query of `batch` in `frame`, the most probable token each time.

    The state of the tokens before the query is kept from call to call. `options` are those of CTranslate2's
    `generate_batch`.
    """
    results = generator.generate_batch(
        [[*query.tokens, *frame.suffix] for query in batch],
        static_prompt=list(frame.static) or None,
        cache_static_prompt=True,
        include_prompt_in_result=False,
        return_end_token=True,
        sampling_topk=1,
        **options,
    )
    generations = []
    for result in results:
        ids = result.sequences_ids[0]
        # The first rows are those of the query's own tokens where it is longer than the shortest of the batch.
        logits = result.logits[0][-len(ids) :] if result.logits else ()
        generations.append(Generation(ids, logits))
    return generations


def first_logits(generations: Sequence[Generation], columns: Sequence[int]) -> NDArray[np.float32]:
    """The logits of the tokens `columns` at the first step of each generation: (generations, columns)."""
    chosen = list(columns)
    return np.stack([np.asarray(each.logits[0], np.float32).reshape(-1)[chosen] for each in generations])
