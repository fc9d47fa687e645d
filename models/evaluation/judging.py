"""A model's answers to many texts, as the worker gives them: normalised, and in all readings."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from sluicegate.models.inference.encoded_readings import encode_readings, unread_rewrites
from sluicegate.models.inference.judge import EncodedQuery, Judge, ModelResult
from sluicegate.models.inference.strictest import JudgedReading, merge, merge_rewrites
from sluicegate.models.progress import Progress
from sluicegate.models.text.normalise import normalise

_BATCH: Final = 64


def judge_all(engine: Judge, texts: Sequence[str], progress: Progress = lambda *_: None) -> list[ModelResult]:
    """A result per text, in order. A text that is empty after normalisation is judged as one space."""
    encoded = [encode_readings(engine, normalise(text).text or " ") for text in texts]
    answers = iter(_judge(engine, [reading.query for each in encoded for reading in each.readings], progress))
    results = [
        merge(each.query, [JudgedReading(reading.name, next(answers)) for reading in each.readings], engine.policy)
        for each in encoded
    ]
    written = [unread_rewrites(engine, each, result) for each, result in zip(encoded, results, strict=True)]
    answers = iter(_judge(engine, [reading.query for each in written for reading in each], lambda *_: None))
    rewrites = [[JudgedReading(reading.name, next(answers)) for reading in each] for each in written]
    return [
        merge_rewrites(each.query, result, judged, engine.policy)
        for each, result, judged in zip(encoded, results, rewrites, strict=True)
    ]


def _judge(engine: Judge, queries: Sequence[EncodedQuery], progress: Progress) -> list[ModelResult]:
    lanes: dict[int, list[int]] = defaultdict(list)
    for index, query in enumerate(queries):
        lanes[len(query.tokens)].append(index)
    judged: dict[int, ModelResult] = {}
    for lane in lanes.values():
        for start in range(0, len(lane), _BATCH):
            batch = lane[start : start + _BATCH]
            judged.update(zip(batch, engine.judge([queries[index] for index in batch]), strict=True))
            progress(len(judged), len(queries))
    return [judged[index] for index in range(len(queries))]
