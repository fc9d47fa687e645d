"""The MCP server over lines, as standard input and output carry them: one JSON-RPC message each.

The library's own transport drops the calls under way when its input ends, cannot be stopped while it waits for input,
and does not answer a line that is no message. This one answers all three.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server import Server
from mcp.shared.message import SessionMessage
from mcp_types import PARSE_ERROR, ErrorData, JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse
from mcp_types.jsonrpc import JSONRPCMessage, RequestId, jsonrpc_message_adapter
from pydantic import ValidationError

logger = logging.getLogger(__name__)

_ANSWERED_WITHIN_S: Final = 5.0
"""Time for the calls under way when the input ends or a signal comes. Clients kill a server after a few seconds."""


class _OpenRequests:
    """The requests that are not answered yet."""

    def __init__(self) -> None:
        self._ids: set[RequestId] = set()
        self._none_open = asyncio.Event()
        self._none_open.set()

    def received(self, message: JSONRPCMessage) -> None:
        if isinstance(message, JSONRPCRequest):
            self._ids.add(message.id)
            self._none_open.clear()
        elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            self._close((message.params or {}).get("requestId"))  # a cancelled request gets no answer

    def sent(self, message: JSONRPCMessage) -> None:
        if isinstance(message, JSONRPCResponse | JSONRPCError):
            self._close(message.id)

    def _close(self, request_id: object) -> None:
        if isinstance(request_id, str | int):
            self._ids.discard(request_id)
        if not self._ids:
            self._none_open.set()

    async def wait(self) -> None:
        """Wait until all are answered, but not for long."""
        try:
            async with asyncio.timeout(_ANSWERED_WITHIN_S):
                await self._none_open.wait()
        except TimeoutError:
            logger.warning("stopping with %d calls under way", len(self._ids))


async def serve_lines(
    server: Server[Any],
    lines: AsyncIterator[bytes],
    write: Callable[[bytes], Awaitable[None]],
    stopping: asyncio.Event,
) -> None:
    """Answer the messages in `lines` through `write`, until the lines end or `stopping` is set.

    Raises:
        OSError: `write` raised it: the client has gone.
    """
    received_in, received = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    sent_in, sent = anyio.create_memory_object_stream[SessionMessage](0)
    open_requests = _OpenRequests()
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(_write_all(sent, write, open_requests), name="writer")
        tasks.create_task(_read_all(lines, received_in, sent_in.clone(), open_requests, stopping), name="reader")
        await server.run(received, sent_in, server.create_initialization_options())
        await writing


async def _read_all(
    lines: AsyncIterator[bytes],
    received: MemoryObjectSendStream[SessionMessage | Exception],
    answers: MemoryObjectSendStream[SessionMessage],
    open_requests: _OpenRequests,
    stopping: asyncio.Event,
) -> None:
    stop = asyncio.create_task(stopping.wait(), name="stop")
    async with received, answers:
        while True:
            read = asyncio.ensure_future(anext(lines, None))
            await asyncio.wait({read, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not read.done():
                read.cancel()
                break
            line = read.result()
            if line is None:
                break
            if not line.strip():
                continue
            message = _message_in(line)
            if message is None:
                error = ErrorData(code=PARSE_ERROR, message="the line is not a JSON-RPC message")
                await answers.send(SessionMessage(JSONRPCError(jsonrpc="2.0", id=None, error=error)))
                continue
            open_requests.received(message)
            await received.send(SessionMessage(message))
        await open_requests.wait()
    stop.cancel()


def _message_in(line: bytes) -> JSONRPCMessage | None:
    """The message in `line`; None if there is none.

    JavaScript cuts text in the middle of an emoji, and writes half of it as an escape that strict readers refuse. It
    becomes a replacement character, as a byte that is not UTF-8 does: the caller gets an answer.
    """
    try:
        return jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError:
        pass
    try:
        content = json.dumps(json.loads(line.decode(errors="replace")), ensure_ascii=False)
        whole = content.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return jsonrpc_message_adapter.validate_json(whole, by_name=False)
    except (ValueError, RecursionError):
        return None


async def _write_all(
    sent: MemoryObjectReceiveStream[SessionMessage],
    write: Callable[[bytes], Awaitable[None]],
    open_requests: _OpenRequests,
) -> None:
    async with sent:
        async for each in sent:
            await write(each.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
            open_requests.sent(each.message)
