"""Formatting for many callers at once: batches, deadlines, and failures that have a name."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sluicegate.agents.formatting.formatting import Formatting, LoadedFormatting, failure_of, load_formatter
from sluicegate.agents.formatting.live_schemas import LiveSchemas
from sluicegate.agents.settings import load_settings
from sluicegate.models.formatting.formatter import FormatFailure, FormatRequest, Formatted
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.schemas.errors import DeadlineExceeded, EngineFailed, FormatFailed, Overloaded
from tests.support.chat_models import compiled_chat

SCHEMA = FormatSchema.from_json({"type": "object", "properties": {"size": {"enum": ["s", "m"]}}, "required": ["size"]})
HASH = "0" * 64


class HeldFormatter:
    """A formatter that answers only once it is released, and keeps the batches that it got."""

    model_version = "held@1"
    prompt_version = "held-1"

    def __init__(self) -> None:
        self.batches: list[list[FormatRequest]] = []
        self.release = threading.Event()

    def format(self, batch: Sequence[FormatRequest]) -> list[Formatted | FormatFailure]:
        self.batches.append(list(batch))
        assert self.release.wait(30)
        if batch[0].text == "raise":
            raise RuntimeError("broken")
        return [
            Formatted(value=b'{"size":"s"}', sources=(), ungrounded=(), prompt_hash=HASH, output_hash=HASH)
            for _ in batch
        ]


def soon(seconds: float = 30) -> float:
    return asyncio.get_running_loop().time() + seconds


def running(formatter: Any, **settings: object) -> Any:
    return Formatting[str].running(LoadedFormatting(formatter, LiveSchemas(None)), load_settings(**settings))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def test_texts_that_wait_share_a_batch_and_each_has_the_time_that_is_left() -> None:
    formatter = HeldFormatter()
    async with running(formatter, format_batch_size=4) as formatting:
        first = asyncio.create_task(formatting.format("first", SCHEMA, "owner", deadline=soon()))
        await until(lambda: len(formatter.batches) == 1)
        others = [
            asyncio.create_task(formatting.format(str(n), SCHEMA, "owner", deadline=soon(20 + n))) for n in range(5)
        ]
        await until(lambda: formatting.queue_depth == 5)
        formatter.release.set()
        results = await asyncio.gather(first, *others)
    assert [len(batch) for batch in formatter.batches] == [1, 4, 1]
    assert [result.batch_size for result in results] == [1, 4, 4, 4, 4, 1]
    left = [request.seconds or 0 for request in formatter.batches[1]]
    assert all(0 < seconds <= 20 + n for n, seconds in enumerate(left))


async def test_what_is_late_or_too_much_fails_with_its_name_and_the_rest_goes_on() -> None:
    formatter = HeldFormatter()
    async with running(formatter, format_window=1) as formatting:
        held = asyncio.create_task(formatting.format("held", SCHEMA, "owner", deadline=soon()))
        await until(lambda: len(formatter.batches) == 1)
        with pytest.raises(Overloaded):
            await formatting.format("too much", SCHEMA, "owner", deadline=soon(), wait=False)
        with pytest.raises(DeadlineExceeded):
            await formatting.format("late", SCHEMA, "owner", deadline=soon(0.05))
        formatter.release.set()
        assert (await held).result.value == b'{"size":"s"}'
        with pytest.raises(EngineFailed):
            await formatting.format("raise", SCHEMA, "owner", deadline=soon())
        assert (await formatting.format("next", SCHEMA, "owner", deadline=soon())).result.value == b'{"size":"s"}'


def test_a_failure_is_an_error_that_names_the_place_and_the_keyword() -> None:
    broken = FormatFailure(
        code="does_not_validate", message="it breaks a rule", pointer="/day", keyword="format", prompt_hash=HASH
    )
    error = failure_of(broken)
    assert isinstance(error, FormatFailed)
    assert (str(error), error.path, error.keyword) == ("does_not_validate: it breaks a rule", "/day", "format")
    assert isinstance(failure_of(FormatFailure(code="engine_failed", message="m", prompt_hash=HASH)), EngineFailed)


def test_a_compiled_qwen3_formats_where_the_setting_names_one(tmp_path: Path) -> None:
    model = compiled_chat(tmp_path / "model")
    formatter = load_formatter(load_settings(format_model=model))
    [result] = formatter.format([FormatRequest("a medium one", SCHEMA)])
    assert isinstance(result, Formatted)
    assert result.value in (b'{"size":"s"}', b'{"size":"m"}')
