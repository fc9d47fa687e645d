"""Chats that wait, and the one model that answers them. The gate has a queue and a model of its own.

    start ─► a free slot ─► load the model, if it is another one than before ─► a thread writes ─► `Chat.pieces`

The model is loaded for the first chat: who never chats pays nothing for it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from sluicegate.agents.deciding.model_loading import release_memory
from sluicegate.agents.settings import Settings
from sluicegate.models.inference.chat import ChatEnd, ChatModel, ChatOptions
from sluicegate.models.inference.chat_template import ChatMessage
from sluicegate.schemas.errors import EngineFailed, Overloaded, RequestRefused


class Chat:
    """One answer while it is written. Used on the event loop, but for `write`."""

    def __init__(self, model_version: str) -> None:
        self.model_version = model_version
        self._end: ChatEnd | None = None
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[str | ChatEnd | Exception] = asyncio.Queue()
        self._first: str | ChatEnd | None = None
        self._cancelled = False

    @property
    def ended(self) -> ChatEnd:
        """How the answer ended, once `pieces` has given out all of it."""
        if self._end is None:
            raise RuntimeError("the answer has not ended")
        return self._end

    async def pieces(self) -> AsyncIterator[str]:
        """The text of the answer, as it is written; none is empty.

        Raises:
            EngineFailed: the model failed.
            RequestRefused: the service stops.
        """
        event: str | ChatEnd | Exception | None = self._first
        while isinstance(event, str):
            yield event
            event = await self._events.get()
        if isinstance(event, Exception):
            raise event
        self._end = event

    async def close(self) -> None:
        """The same as `cancel`."""
        self.cancel()

    def cancel(self) -> None:
        """End the answer: nobody wants it any more. Its thread ends with the token that it is working on."""
        self._cancelled = True

    def write(self, piece: str) -> bool:
        """Give out `piece`. True if the answer is to end. Called in the model's thread."""
        if piece:
            self.put(piece)
        return self._cancelled

    def put(self, event: str | ChatEnd | Exception) -> None:
        """Give out a piece, the end, or an error. Thread-safe."""
        self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    async def begin(self) -> None:
        """Wait for the first piece, or for the end.

        Raises:
            ContractError: the model does not accept the conversation.
            EngineFailed: the model failed.
            RequestRefused: the service stops.
        """
        event = await self._events.get()
        if isinstance(event, Exception):
            raise event
        self._first = event


class ChatQueue:
    """Answers `settings.chat_slots` chats at a time, while `settings.chat_queue_size` more wait. For one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.chat_slots)
        self._waiting = 0
        self._folder: Path | None = None
        self._model: asyncio.Task[ChatModel] | None = None
        self._answering: dict[asyncio.Task[None], Chat] = {}
        self._stopped = False

    @property
    def answering(self) -> int:
        """Chats that a thread is working on."""
        return len(self._answering)

    async def idle(self) -> None:
        """Wait until every thread has ended."""
        await asyncio.gather(*self._answering, return_exceptions=True)

    def stop(self) -> None:
        """End every answer with an error, and answer no chat any more."""
        self._stopped = True
        for chat in self._answering.values():
            chat.put(_stopping())
            chat.cancel()

    async def start(self, folder: Path, messages: Sequence[ChatMessage], options: ChatOptions) -> Chat:
        """The answer of the model in `folder` to `messages`, once its first piece is there.

        Cancelling this call ends the answer.

        Raises:
            Overloaded: too many chats are waiting.
            RequestRefused: the queue was stopped.
            CannotChat: the model is no Qwen3 model.
            ContractError: the conversation is too long, or the model's chat template does not accept it.
            EngineFailed: the model cannot be loaded now, or failed.
        """
        await self._wait_for_slot()
        try:
            model = await self._model_in(folder)
        except BaseException:
            self._slots.release()
            raise
        chat = Chat(model.manifest.model_version)
        task = asyncio.create_task(self._answer(chat, model, messages, options), name="chat")
        self._answering[task] = chat
        task.add_done_callback(self._answering.pop)
        try:
            await chat.begin()
        except BaseException:
            chat.cancel()
            raise
        return chat

    async def _wait_for_slot(self) -> None:
        if self._slots.locked() and self._waiting >= self._settings.chat_queue_size:
            raise Overloaded(f"{self._waiting} chats are waiting already (SLUICE_CHAT_QUEUE_SIZE)")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        if self._stopped:
            self._slots.release()
            raise _stopping()

    async def _answer(
        self, chat: Chat, model: ChatModel, messages: Sequence[ChatMessage], options: ChatOptions
    ) -> None:
        """Hold the slot until the thread has ended, whoever still wants the answer."""
        try:
            chat.put(await asyncio.to_thread(model.answer, messages, options, chat.write))
        except Exception as error:  # noqa: BLE001 - whoever waits for the answer gets it
            chat.put(error)
        finally:
            self._slots.release()

    async def _model_in(self, folder: Path) -> ChatModel:
        """The model in `folder`. It is loaded once, also when the chat that it is loaded for is given up meanwhile."""
        if self._model is None or self._folder != folder:
            self._folder = folder
            self._model = asyncio.create_task(asyncio.to_thread(self._load, folder), name="loading of the chat model")
        loading = self._model
        try:
            return await asyncio.shield(loading)
        except Exception:
            if self._model is loading:
                self._model = None  # the next chat tries again
            raise

    def _load(self, folder: Path) -> ChatModel:
        settings = self._settings
        release_memory()
        try:
            return ChatModel(
                folder,
                device=settings.device,
                compute_type=settings.compute_type,
                threads=settings.threads,
                at_once=settings.chat_slots,
                max_prompt_tokens=settings.chat_max_prompt_tokens,
            )
        except MemoryError as error:
            raise EngineFailed(f"no memory for a chat model: {error}") from error


def _stopping() -> RequestRefused:
    return RequestRefused("unavailable", "the service is stopping: try again, it reaches another process")
