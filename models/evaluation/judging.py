"""A model's answers to many texts, as the worker gives them: normalised, and in all readings."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sluicegate.models.inference.encoded_readings import EncodedReading, encode_readings, unread_rewrites
from sluicegate.models.inference.judge import EncodedQuery, Judge, ModelResult
from sluicegate.models.inference.strictest import JudgedReading, merge, merge_rewrites
from sluicegate.models.progress import Progress
from sluicegate.models.text.normalise import normalise

_BATCH: Final = 64


@dataclass(frozen=True)
class JudgedText:
    """A model's answer to one text, and what it made of everything that was judged for it. `tokens`: of the query."""

    result: ModelResult
    readings: Sequence[JudgedReading]
    tokens: int


def judge_all(engine: Judge, texts: Sequence[str], progress: Progress = lambda *_: None) -> list[ModelResult]:
    """A result per text, in order. A text that is empty after normalisation is judged as one space."""
    return [judged.result for judged in judge_in_full(engine, texts, progress)]


def judge_in_full(engine: Judge, texts: Sequence[str], progress: Progress = lambda *_: None) -> list[JudgedText]:
    """What `judge_all` gives, with the readings of each text."""
    encoded = [encode_readings(engine, normalise(text).text or " ") for text in texts]
    read = _judged(engine, [each.readings for each in encoded], progress)
    results = [merge(each.query, judged, engine.policy) for each, judged in zip(encoded, read, strict=True)]
    written = [unread_rewrites(engine, each, result) for each, result in zip(encoded, results, strict=True)]
    rewrites = _judged(engine, written, lambda *_: None)
    return [
        JudgedText(
            merge_rewrites(each.query, result, rewritten, engine.policy), [*judged, *rewritten], len(each.query.tokens)
        )
        for each, result, judged, rewritten in zip(encoded, results, read, rewrites, strict=True)
    ]


def judge_again(
    engine: Judge, readings: Sequence[Sequence[JudgedReading]], progress: Progress = lambda *_: None
) -> list[list[JudgedReading]]:
    """What `engine` makes of the readings that another model judged."""
    encoded = [
        [EncodedReading(reading.name, engine.encode(reading.text, correct=False)) for reading in each]
        for each in readings
    ]
    return _judged(engine, encoded, progress)


def _judged(
    engine: Judge, readings: Sequence[Sequence[EncodedReading]], progress: Progress
) -> list[list[JudgedReading]]:
    answers = iter(_judge(engine, [reading.query for each in readings for reading in each], progress))
    return [[JudgedReading(reading.name, next(answers), reading.query.text) for reading in each] for each in readings]


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
