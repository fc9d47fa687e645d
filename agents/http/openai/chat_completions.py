"""`/v1/chat/completions`: an answer, whole or as a stream of server-sent events.

The compiled model writes it. With SLUICE_UPSTREAM another API does, behind the gate, and the model only if that fails.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeVar

import msgspec
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from sluicegate.agents.http.body import ClientGone
from sluicegate.agents.http.errors import ErrorAnswer, detail_of, refusal_of
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
from sluicegate.agents.http.openai.upstream_answers import Answer, AnswerEnd
from sluicegate.agents.http.openai.upstream_gate import ModeratedAnswer, gated
from sluicegate.agents.http.route import Call, JsonRoute
from sluicegate.agents.http.service import HttpService
from sluicegate.agents.upstream.failures import Failure
from sluicegate.models.inference.chat import ChatEnd, ChatOptions, check_can_chat
from sluicegate.models.inference.chat_template import ChatMessage
from sluicegate.schemas.errors import CannotChat, EngineFailed, Overloaded, RequestRefused, UpstreamFailed

WorkT = TypeVar("WorkT")

_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}  # no proxy may hold a stream back
_DONE: Final = b"data: [DONE]\n\n"

_encode: Final = msgspec.json.Encoder().encode


class _Written(NamedTuple):
    """An answer that is being written, and by whom. `served_by` is unset where there is no upstream API."""

    answer: Answer
    model: str
    served_by: Literal["upstream", "model"] | msgspec.UnsetType = msgspec.UNSET

    @property
    def headers(self) -> dict[str, str]:
        """Those that say who answers."""
        return {} if self.served_by is msgspec.UNSET else {"x-sluicegate-served-by": str(self.served_by)}


async def _complete(service: HttpService, call: Call[ChatRequest]) -> ChatCompletion | Response:
    asked, upstream = call.body, service.upstream
    if upstream is None:
        check_can_chat(service.models.in_use.engine.manifest)
    require_served(service, asked.model, () if upstream is None else (upstream.model,))
    options = await asyncio.to_thread(options_of, asked, service.settings.chat_max_tokens)
    written = await _unless_gone(call, _begin(service, call, options))
    headers = {"traceparent": call.span.traceparent.decode(), **written.headers}
    if asked.stream:
        with_usage = asked.stream_options is not None and bool(asked.stream_options.include_usage)
        return _ChatStream(written, with_usage=with_usage, headers=headers)
    try:
        completion = await _unless_gone(call, _whole(written))
    finally:
        await written.answer.close()
    return completion if upstream is None else Response(_encode(completion), 200, headers, "application/json")


async def _begin(service: HttpService, call: Call[ChatRequest], options: ChatOptions) -> _Written:
    """The answer of the upstream API, if there is one and it answers in time; else that of the compiled model."""
    asked, upstream, messages = call.body, service.upstream, messages_of(call.body)
    if upstream is None:
        return await _write(service, messages, options)
    messages = await gated(service, call, messages)
    try:
        answer = await upstream.answer(asked, messages, options.schema)
        written = _Written(answer, upstream.model, "upstream")
    except UpstreamFailed as failure:
        written = (await _instead(service, messages, options, failure))._replace(served_by="model")
    service.telemetry.requests.record_chat(str(written.served_by))
    if service.settings.upstream_moderate_answers:
        written = written._replace(answer=ModeratedAnswer(written.answer, service, call))
    return written


async def _instead(
    service: HttpService, messages: Sequence[ChatMessage], options: ChatOptions, failure: UpstreamFailed
) -> _Written:
    """The compiled model's answer in place of the upstream's.

    Raises:
        RequestRefused: the upstream API refuses this request; or the compiled model cannot answer either.
    """
    if failure.reason == Failure.REFUSED:
        raise RequestRefused("unsupported", f"the request is refused: {failure}") from None
    try:
        return await _write(service, messages, options)
    except (CannotChat, EngineFailed, Overloaded):
        raise RequestRefused("upstream_failed", f"{failure}; and no compiled model can answer instead") from None


async def _write(service: HttpService, messages: Sequence[ChatMessage], options: ChatOptions) -> _Written:
    check_can_chat(service.models.in_use.engine.manifest)
    chat = await service.chats.start(service.models.folder_in_use, messages, options)
    return _Written(chat, chat.model_version)


class _ChatStream(StreamingResponse):
    """The answer as server-sent events. It ends when the client closes the connection."""

    def __init__(self, written: _Written, *, with_usage: bool, headers: Mapping[str, str]) -> None:
        events = _events(written, with_usage=with_usage)
        super().__init__(events, 200, {**_HEADERS, **headers}, "text/event-stream")
        self._answer = written.answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._answer.close()


async def _whole(written: _Written) -> ChatCompletion:
    content = "".join([piece async for piece in written.answer.pieces()])
    end = written.answer.ended
    return ChatCompletion(
        id=_new_id(),
        created=int(time.time()),
        model=written.model,
        choices=[Choice(message=AnswerMessage(content=content), finish_reason=end.reason)],
        usage=_usage(end),
        served_by=written.served_by,
    )


async def _events(written: _Written, *, with_usage: bool) -> AsyncIterator[bytes]:
    """The answer as server-sent events. An error in the middle is the last event, without an end."""
    chunk = ChatChunk(
        id=_new_id(),
        created=int(time.time()),
        model=written.model,
        choices=[],
        usage=None if with_usage else msgspec.UNSET,
        served_by=written.served_by,
    )

    def event(delta: Delta, **more: Any) -> bytes:
        return _event(msgspec.structs.replace(chunk, choices=[ChunkChoice(delta=delta, **more)]))

    try:
        yield event(Delta(role="assistant", content=""))
        async for piece in written.answer.pieces():
            yield event(Delta(content=piece))
        yield event(Delta(), finish_reason=written.answer.ended.reason)
        if with_usage:
            yield _event(msgspec.structs.replace(chunk, usage=_usage(written.answer.ended)))
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


def _usage(end: ChatEnd | AnswerEnd) -> Usage:
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
        "Answer a conversation; with `stream`, as server-sent events.",
        ChatRequest,
        ChatCompletion,
        _complete,
    ),
)
