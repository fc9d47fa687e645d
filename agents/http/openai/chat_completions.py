"""`/v1/chat/completions`: an answer of the compiled model, whole or as a stream of server-sent events."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, Final, TypeVar

import msgspec
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from sluicegate.agents.http.body import ClientGone
from sluicegate.agents.http.errors import ErrorAnswer, detail_of, refusal_of
from sluicegate.agents.http.openai.chat_queue import Chat
from sluicegate.agents.http.openai.chat_request import messages_of, options_of
from sluicegate.agents.http.openai.chat_types import (
    AnswerMessage,
    ChatChunk,
    ChatCompletion,
    ChatRequest,
    Choice,
    ChunkChoice,
    Delta,
    Usage,
)
from sluicegate.agents.http.openai.served_models import require_served
from sluicegate.agents.http.route import Call, JsonRoute
from sluicegate.agents.http.service import HttpService
from sluicegate.models.inference.chat import ChatEnd, check_can_chat

WorkT = TypeVar("WorkT")

_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}  # no proxy may hold a stream back
_DONE: Final = b"data: [DONE]\n\n"

_encode: Final = msgspec.json.Encoder().encode


async def _complete(service: HttpService, call: Call[ChatRequest]) -> ChatCompletion | StreamingResponse:
    asked = call.body
    check_can_chat(service.models.in_use.engine.manifest)
    require_served(service, asked.model)
    options = await asyncio.to_thread(options_of, asked, service.settings.chat_max_tokens)
    answer = service.chats.start(service.models.folder_in_use, messages_of(asked), options)
    chat = await _unless_gone(call, answer)
    if asked.stream:
        with_usage = asked.stream_options is not None and bool(asked.stream_options.include_usage)
        return _ChatStream(chat, with_usage=with_usage, traceparent=call.span.traceparent.decode())
    try:
        return await _unless_gone(call, _whole(chat))
    finally:
        chat.cancel()


class _ChatStream(StreamingResponse):
    """The answer as server-sent events. It ends when the client closes the connection."""

    def __init__(self, chat: Chat, *, with_usage: bool, traceparent: str) -> None:
        headers = {**_HEADERS, "traceparent": traceparent}
        super().__init__(_events(chat, with_usage=with_usage), 200, headers, "text/event-stream")
        self._chat = chat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._chat.cancel()


async def _whole(chat: Chat) -> ChatCompletion:
    content = "".join([piece async for piece in chat.pieces()])
    end = chat.ended
    return ChatCompletion(
        id=_new_id(),
        created=int(time.time()),
        model=chat.model_version,
        choices=[Choice(message=AnswerMessage(content=content), finish_reason=end.reason)],
        usage=_usage(end),
    )


async def _events(chat: Chat, *, with_usage: bool) -> AsyncIterator[bytes]:
    """The answer as server-sent events. An error in the middle is the last event, without an end."""
    chunk = ChatChunk(
        id=_new_id(),
        created=int(time.time()),
        model=chat.model_version,
        choices=[],
        usage=None if with_usage else msgspec.UNSET,
    )

    def event(delta: Delta, **more: Any) -> bytes:
        return _event(msgspec.structs.replace(chunk, choices=[ChunkChoice(delta=delta, **more)]))

    try:
        yield event(Delta(role="assistant", content=""))
        async for piece in chat.pieces():
            yield event(Delta(content=piece))
        yield event(Delta(), finish_reason=chat.ended.reason)
        if with_usage:
            yield _event(msgspec.structs.replace(chunk, usage=_usage(chat.ended)))
        yield _DONE
    except Exception as error:  # noqa: BLE001 - the stream's boundary: the status has been sent already
        yield _event(ErrorAnswer(error=detail_of(refusal_of(error))))


async def _unless_gone(call: Call[Any], work: Coroutine[Any, Any, WorkT]) -> WorkT:
    """The result of `work`, which is cancelled when the client closes the connection.

    Raises:
        ClientGone: it has.
    """
    working = asyncio.create_task(work, name="chat request")
    gone = asyncio.ensure_future(call.gone())
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGone
    finally:
        gone.cancel()
        working.cancel()
        await asyncio.gather(gone, working, return_exceptions=True)


def _event(content: msgspec.Struct) -> bytes:
    return b"data: %b\n\n" % _encode(content)


def _usage(end: ChatEnd) -> Usage:
    return Usage(
        prompt_tokens=end.prompt_tokens,
        completion_tokens=end.answer_tokens,
        total_tokens=end.prompt_tokens + end.answer_tokens,
    )


def _new_id() -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"


ROUTES: Final[Sequence[JsonRoute[Any]]] = (
    JsonRoute(
        "/v1/chat/completions",
        "create_chat_completion",
        "Answer a conversation with the compiled model; with `stream`, as server-sent events.",
        ChatRequest,
        ChatCompletion,
        _complete,
    ),
)
