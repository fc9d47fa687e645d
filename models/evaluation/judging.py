"""A model's answers to many texts: the worker's own normalisation and engine, in batches of equal length."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from sluicegate.models.inference.judge import EncodedQuery, Judge, ModelResult
from sluicegate.models.progress import Progress
from sluicegate.models.text.normalise import normalise

_BATCH: Final = 64


def judge_all(engine: Judge, texts: Sequence[str], progress: Progress = lambda *_: None) -> list[ModelResult]:
    """A result per text, in order. A text that is empty after normalisation is judged as one space."""
    lanes: dict[int, list[tuple[int, EncodedQuery]]] = defaultdict(list)
    for index, text in enumerate(texts):
        query = engine.encode(normalise(text).text or " ")
        lanes[len(query.tokens)].append((index, query))
    judged: dict[int, ModelResult] = {}
    for lane in lanes.values():
        for start in range(0, len(lane), _BATCH):
            batch = lane[start : start + _BATCH]
            results = engine.judge([query for _, query in batch])
            judged.update((index, result) for (index, _), result in zip(batch, results, strict=True))
            progress(len(judged), len(texts))
    return [judged[index] for index in range(len(judged))]
