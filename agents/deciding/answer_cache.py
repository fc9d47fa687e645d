"""The same query is judged once: answers are kept for a while, and queries in flight are joined.

    query ──► kept? ──► its answer ("cache")
              in flight? ──► wait for that answer ("in_flight")
              neither ──► ask the model ("model"), give the answer to those who joined, keep it

A result is a pure function of the query's text, tokens and correction, the model, its prompts and its policy. There is
one cache per engine, which has one of each, so the other three are the key. The tokens matter because a query that was
cut gets no hint: its text may equal that of a query that has one. The correction depends on the user's locale. A query
that the speller leaves as it is has the result of one that it was not asked about. Failures are never kept. Lives on
one event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec
from cachetools import TTLCache

from sluicegate.agents.deciding.micro_batcher import Batched
from sluicegate.models.inference.judge import EncodedQuery, ModelResult
from sluicegate.schemas.errors import DeadlineExceeded, EngineFailed

Source = Literal["model", "cache", "in_flight"]

_Key = tuple[str, tuple[str, ...], str]


class AnsweredQuery(msgspec.Struct, frozen=True):
    """A result and its source; `batched` only where the model was asked about this query itself."""

    model_result: ModelResult
    source: Source
    batched: Batched[ModelResult] | None = None


class AnswerCache:
    """Answers by query, at most `size` of them and each for `ttl_s` seconds; nothing is kept when `size` is 0."""

    def __init__(self, size: int, ttl_s: float) -> None:
        self._kept: TTLCache[_Key, ModelResult] = TTLCache(size, ttl_s)
        self._in_flight: dict[_Key, asyncio.Future[ModelResult | EngineFailed | None]] = {}

    async def answer(
        self, query: EncodedQuery, ask: Callable[[], Awaitable[Batched[ModelResult]]], *, deadline: float
    ) -> AnsweredQuery:
        """The answer for `query`, from `ask` where it must be; `deadline` is a time of the event loop's clock.

        Raises:
            EventFailed: what `ask` raised, for this query or the one that it joined.
            DeadlineExceeded: it passed before the query that this one joined was answered.
        """
        if not self._kept.maxsize:
            batched = await ask()
            return AnsweredQuery(batched.result, "model", batched)
        key = _key(query)
        while True:
            kept = self._kept.get(key)
            if kept is not None:
                return AnsweredQuery(kept, "cache")
            flight = self._in_flight.get(key)
            if flight is None:
                return await self._lead(key, ask)
            try:
                async with asyncio.timeout_at(deadline):
                    found = await asyncio.shield(flight)
            except TimeoutError:
                raise DeadlineExceeded("an equal query was not answered before the event's deadline") from None
            if isinstance(found, EngineFailed):
                raise found
            if found is not None:
                return AnsweredQuery(found, "in_flight")
            # The first query reached its own deadline: one of the queries that joined it takes its place.

    async def _lead(self, key: _Key, ask: Callable[[], Awaitable[Batched[ModelResult]]]) -> AnsweredQuery:
        flight = self._in_flight[key] = asyncio.get_running_loop().create_future()
        found: ModelResult | EngineFailed | None = None
        try:
            batched = await ask()
            found = self._kept[key] = batched.result
            return AnsweredQuery(found, "model", batched)
        except EngineFailed as error:
            found = error
            raise
        finally:
            del self._in_flight[key]
            flight.set_result(found)


def _key(query: EncodedQuery) -> _Key:
    corrected = query.correction.text if query.correction else query.text
    return query.text, query.tokens, corrected
