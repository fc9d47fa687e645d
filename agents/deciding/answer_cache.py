"""The same query is judged once: answers are kept for a while, and queries in flight are joined.

    query ──► kept? ──► its answer ("cache")
              in flight? ──► wait for that answer ("in_flight")
              neither ──► ask the model ("model"), tell those who joined, keep it

A judgement is a pure function of the normalised text, the model, its prompts and its policy. There is one cache per
engine, which has one of each, so the text alone is the key. Failures are never kept. Lives on one event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec
from cachetools import TTLCache

from sluicegate.agents.deciding.micro_batcher import Batched
from sluicegate.models.inference.engine import ModelResult
from sluicegate.schemas.errors import DeadlineExceeded, EngineFailed

Source = Literal["model", "cache", "in_flight"]


class AnsweredQuery(msgspec.Struct, frozen=True):
    """A judgement and where it is from; `batched` only where this query itself was put to the model."""

    model_result: ModelResult
    source: Source
    batched: Batched[ModelResult] | None = None


class AnswerCache:
    """Answers by query text, at most `size` of them and each for `ttl_s` seconds; nothing is kept when `size` is 0."""

    def __init__(self, size: int, ttl_s: float) -> None:
        self._kept: TTLCache[str, ModelResult] = TTLCache(size, ttl_s)
        self._in_flight: dict[str, asyncio.Future[ModelResult | EngineFailed | None]] = {}

    async def answer(
        self, text: str, ask: Callable[[], Awaitable[Batched[ModelResult]]], *, deadline: float
    ) -> AnsweredQuery:
        """The answer for `text`, from `ask` if need be; `deadline` is a time of the event loop's clock.

        Raises:
            EventFailed: what `ask` raised, for this query or the one that it joined.
            DeadlineExceeded: it passed before the query that this one joined was answered.
        """
        if not self._kept.maxsize:
            batched = await ask()
            return AnsweredQuery(batched.result, "model", batched)
        while True:
            kept = self._kept.get(text)
            if kept is not None:
                return AnsweredQuery(kept, "cache")
            flight = self._in_flight.get(text)
            if flight is None:
                return await self._lead(text, ask)
            try:
                async with asyncio.timeout_at(deadline):
                    found = await asyncio.shield(flight)
            except TimeoutError:
                raise DeadlineExceeded("an equal query was not answered before the event's deadline") from None
            if isinstance(found, EngineFailed):
                raise found
            if found is not None:
                return AnsweredQuery(found, "in_flight")
            # The query that led gave up, at a deadline of its own: one of those who joined it leads now.

    async def _lead(self, text: str, ask: Callable[[], Awaitable[Batched[ModelResult]]]) -> AnsweredQuery:
        flight = self._in_flight[text] = asyncio.get_running_loop().create_future()
        found: ModelResult | EngineFailed | None = None
        try:
            batched = await ask()
            found = self._kept[text] = batched.result
            return AnsweredQuery(found, "model", batched)
        except EngineFailed as error:
            found = error
            raise
        finally:
            del self._in_flight[text]
            flight.set_result(found)
