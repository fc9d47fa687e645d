"""Reading a streamed answer: server-sent events, each with one JSON object, and `[DONE]` at the end."""

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import orjson

from sluicegate.agents.upstream.failures import CallFailed, Failure, failure_of_exception

_DONE: Final = b"[DONE]"


async def read_events(response: httpx.Response, upstream: str, most: int) -> AsyncIterator[dict[str, Any]]:
    """The objects of the stream, as they come, until `[DONE]`. At most `most` bytes are read.

    Raises:
        CallFailed: the stream ends without `[DONE]`, is too long, or is not one of JSON objects.
    """
    size, rest = 0, b""
    try:
        async for part in response.aiter_raw():
            size += len(part)
            if size > most:
                raise CallFailed(Failure.UNREADABLE, upstream, f"more than {most} bytes")
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                data = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
                if data == _DONE:
                    return
                if data:
                    yield _object(data, upstream)
    except httpx.HTTPError as error:
        raise CallFailed(failure_of_exception(error), upstream, type(error).__name__) from None
    raise CallFailed(Failure.BROKEN_OFF, upstream, "the stream has no end")


def _object(data: bytes, upstream: str) -> dict[str, Any]:
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        event = None
    if not isinstance(event, dict):
        raise CallFailed(Failure.UNREADABLE, upstream, "not a JSON object in the stream")
    return event
