"""Asks the model about several readings of one query at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sluicegate.agents.deciding.answer_cache import AnsweredQuery
from sluicegate.agents.deciding.micro_batcher import Batched
from sluicegate.models.inference.encoded_readings import EncodedReading
from sluicegate.models.inference.judge import EncodedQuery, ModelResult
from sluicegate.models.inference.strictest import JudgedReading
from sluicegate.schemas.errors import EventFailed


@dataclass(frozen=True)
class Answers:
    """What became of each reading, in order. `answered` has None for one that the model did not answer."""

    judged: tuple[JudgedReading, ...]
    answered: tuple[AnsweredQuery | None, ...]
    error: EventFailed | None
    """The first reason why the model did not answer one of them."""

    @property
    def batches(self) -> tuple[Batched[ModelResult], ...]:
        """The batches of the readings that the model was asked about for this event."""
        return tuple(answer.batched for answer in self.answered if answer and answer.batched)


async def ask_all(
    readings: Sequence[EncodedReading],
    ask: Callable[[EncodedQuery], Awaitable[AnsweredQuery]],
    unanswered: Callable[[EventFailed], ModelResult],
) -> Answers:
    """The answers of `ask` for all `readings`; where it raises `EventFailed`, the result is that of `unanswered`."""
    if len(readings) == 1:  # nearly every query: no task is needed
        outcomes = [await _caught(ask, readings[0].query)]
    else:
        outcomes = await asyncio.gather(*(_caught(ask, reading.query) for reading in readings))
    judged = tuple(
        JudgedReading(
            reading.name,
            unanswered(outcome) if isinstance(outcome, EventFailed) else outcome.model_result,
            reading.query.text,
        )
        for reading, outcome in zip(readings, outcomes, strict=True)
    )
    return Answers(
        judged,
        answered=tuple(None if isinstance(outcome, EventFailed) else outcome for outcome in outcomes),
        error=next((outcome for outcome in outcomes if isinstance(outcome, EventFailed)), None),
    )


async def _caught(
    ask: Callable[[EncodedQuery], Awaitable[AnsweredQuery]], query: EncodedQuery
) -> AnsweredQuery | EventFailed:
    try:
        return await ask(query)
    except EventFailed as error:
        return error
