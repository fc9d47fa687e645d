"""A chat API on loopback over TCP, which answers as a script says: well, wrongly, slowly, in part, or never."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeAlias

import orjson

DRIP_S = 0.05


@dataclass(frozen=True)
class Reply:
    """What is sent. `body` of None: nothing, and the connection stays open until the client closes it."""

    body: bytes | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    sent: float = 1.0
    """The share of the body that is sent before the connection is closed."""
    drips: bool = False
    """One byte at a time."""


Script: TypeAlias = Callable[[dict[str, Any], int], Reply]
"""The reply to a request's body; requests are counted from 0."""

HANG = Reply(None)


def said(text: str, *, tokens: tuple[int, int] | None = (100, 20), **reply: Any) -> Reply:
    """A completion that says `text`, and what it cost: input and output tokens."""
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]} if tokens else None
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return Reply(orjson.dumps({"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage}), **reply)


def error(status: int, code: str | None = None, **headers: str) -> Reply:
    """An error as OpenAI's API has it; ``retry_after`` is the header of that name."""
    body = orjson.dumps({"error": {"message": "no", "type": code, "code": code}})
    return Reply(body, status, {name.replace("_", "-"): value for name, value in headers.items()})


def streamed(*parts: str, done: bool = True) -> Reply:
    """A stream of parts of a text, then the usage."""
    events = [{"choices": [{"index": 0, "delta": {"content": part}}]} for part in parts]
    lines = [b"data: " + orjson.dumps(event) for event in events]
    lines.append(b'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}')
    return Reply(b"\n\n".join([*lines, *([b"data: [DONE]"] if done else []), b""]))


class ChatServer:
    """Serves from its `with` block's start to its end, in a thread of its own. `script` may be exchanged meanwhile."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[dict[str, Any]] = []
        """The bodies, as they came."""
        self.keys: list[str | None] = []
        self.most_at_once = 0
        self.port = 0
        self._at_once = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chat server", daemon=True)
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failed: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)

    async def _shut(self) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._open.add(task)
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            self._open.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; returns whether the connection is kept."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = orjson.loads(await reader.readexactly(int(headers["content-length"])))
        assert head[0].startswith("post /v1/chat/completions "), head[0]
        number = len(self.requests)
        self.requests.append(body)
        self.keys.append(headers.get("authorization"))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await self._reply(self.script(body, number), reader, writer)
        finally:
            self._at_once -= 1

    async def _reply(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if reply.body is None:
            await reader.read(1)
            return False
        await asyncio.sleep(reply.delay_s)
        fields = {"content-length": str(len(reply.body)), "content-type": "application/json", **reply.headers}
        lines = [f"HTTP/1.1 {reply.status} -", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        writer.write("\r\n".join(lines).encode())
        sent = reply.body[: int(len(reply.body) * reply.sent)]
        for part in [sent[at : at + 1] for at in range(len(sent))] if reply.drips else [sent]:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(DRIP_S if reply.drips else 0)
        return reply.sent == 1.0
