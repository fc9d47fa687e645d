"""Answers of the upstream API, with the face of our own model's `Chat`: a stream that has begun, or a whole text."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, Final, Protocol, Self

import msgspec

from sluicegate.agents.http.openai.chat_types import FinishReason
from sluicegate.agents.upstream.completion import Usage, read_usage
from sluicegate.agents.upstream.failures import CallFailed, Failure

NAME: Final = "the upstream API"
"""What errors call it."""


class AnswerEnd(msgspec.Struct, frozen=True):
    """How an answer ended, and its tokens; 0 where the API counts none."""

    reason: FinishReason
    prompt_tokens: int = 0
    answer_tokens: int = 0


class Answer(Protocol):
    """An answer while it is written."""

    @property
    def ended(self) -> Any:
        """How it ended, once `pieces` has given out all of it: a `ChatEnd` or an `AnswerEnd`."""

    def pieces(self) -> AsyncIterator[str]:
        """The text, as it is written."""

    async def close(self) -> None:
        """End it: nobody wants it any more."""


class WholeAnswer:
    """An answer that is there already."""

    def __init__(self, text: str, reason: str | None, usage: Usage | None) -> None:
        self._text = text
        self.ended = _end(reason, usage)

    async def pieces(self) -> AsyncIterator[str]:
        """All of it."""
        if self._text:
            yield self._text

    async def close(self) -> None:
        """Nothing is open."""


class _Delta(msgspec.Struct, frozen=True):
    content: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    delta: _Delta = _Delta()
    finish_reason: str | None = None


class _Part(msgspec.Struct, frozen=True):
    choices: tuple[_Choice, ...] = ()


class StreamedAnswer:
    """An answer that is read while the API writes it."""

    def __init__(self, stream: AbstractAsyncContextManager[AsyncIterator[dict[str, Any]]]) -> None:
        self._pieces = self._read(stream)
        self._first: Sequence[str] = ()
        self.ended = AnswerEnd("stop")

    @classmethod
    async def begun(cls, stream: AbstractAsyncContextManager[AsyncIterator[dict[str, Any]]], deadline: float) -> Self:
        """The answer, once its first words are there or it has ended: by `deadline`, a time of the loop's clock.

        Raises:
            UpstreamFailed: they are not.
        """
        answer = cls(stream)
        try:
            async with asyncio.timeout_at(deadline):
                answer._first = [await anext(answer._pieces)]
        except StopAsyncIteration:
            pass
        except TimeoutError:
            raise CallFailed(Failure.TIMED_OUT, NAME, "no words in time") from None
        return answer

    async def pieces(self) -> AsyncIterator[str]:
        """The text, as it comes.

        Raises:
            UpstreamFailed: it broke off.
        """
        async with aclosing(self._pieces) as rest:
            for piece in self._first:
                yield piece
            async for piece in rest:
                yield piece

    async def close(self) -> None:
        """Close the connection, if the answer has not ended."""
        await self._pieces.aclose()

    async def _read(
        self, stream: AbstractAsyncContextManager[AsyncIterator[dict[str, Any]]]
    ) -> AsyncGenerator[str, None]:
        reason, usage = None, None
        async with stream as parts:
            async for document in parts:
                usage = read_usage(document) or usage
                try:
                    choices = msgspec.convert(document, _Part).choices
                except msgspec.ValidationError:
                    raise CallFailed(Failure.UNREADABLE, NAME, "not a part of a chat completion") from None
                for choice in choices[:1]:
                    reason = choice.finish_reason or reason
                    if choice.delta.content:
                        yield choice.delta.content
        self.ended = _end(reason, usage)


def _end(reason: str | None, usage: Usage | None) -> AnswerEnd:
    known: dict[str | None, FinishReason] = {"length": "length", "content_filter": "content_filter"}
    counted = usage or Usage()
    return AnswerEnd(known.get(reason, "stop"), counted.prompt_tokens, counted.completion_tokens)
