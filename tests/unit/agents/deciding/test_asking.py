"""Asking about several readings at once."""

import asyncio
import gc

import pytest

from sluicegate.agents.deciding.answer_cache import AnsweredQuery
from sluicegate.agents.deciding.asking import ask_all
from sluicegate.models.inference.encoded_readings import EncodedReading
from sluicegate.models.inference.judge import EncodedQuery, ModelResult
from sluicegate.models.text.readings import ReadingName
from sluicegate.schemas.errors import EventFailed


async def test_a_decision_that_is_cancelled_at_once_leaves_no_question_behind(
    recwarn: pytest.WarningsRecorder,
) -> None:
    async def ask(_: EncodedQuery) -> AnsweredQuery:
        raise AssertionError("it was cancelled before")

    def unanswered(_: EventFailed) -> ModelResult:
        raise AssertionError("it was cancelled before")

    readings = [EncodedReading(name, EncodedQuery("red", ("red",))) for name in (ReadingName.QUERY, ReadingName.WINDOW)]
    deciding = asyncio.create_task(ask_all(readings, ask, unanswered))
    asyncio.get_running_loop().call_soon(deciding.cancel)  # before the tasks of the readings have begun
    await asyncio.gather(deciding, return_exceptions=True)
    gc.collect()
    assert deciding.cancelled()
    assert not recwarn.list
