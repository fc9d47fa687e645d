"""Chats wait their turn, and a place is free again whatever ends a chat."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sluicegate.agents.http.openai.chat_queue import Chat, ChatQueue
from sluicegate.agents.settings import load_settings
from sluicegate.models.inference.chat import ChatModel, ChatOptions
from sluicegate.models.inference.chat_template import ChatMessage
from sluicegate.schemas.errors import CannotChat, CompiledModelError, ContractError, EngineFailed, Overloaded
from tests.support.chat_models import compiled_answer
from tests.support.compiled import compiled_tiny

HELLO = [ChatMessage("user", "hello")]
GREEDY = ChatOptions(max_tokens=32_768, temperature=0)


@pytest.fixture(scope="module")
def yes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_answer(tmp_path_factory.mktemp("chat") / "yes", "yes")


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_answer(tmp_path_factory.mktemp("chat") / "endless", "ab", then="a")


def queue_of(**settings: Any) -> ChatQueue:
    return ChatQueue(load_settings(**settings))


async def text_of(chat: Chat) -> str:
    return "".join([piece async for piece in chat.pieces()])


async def test_the_next_chat_is_answered_by_the_model_that_is_in_use_then(yes: Path, tmp_path: Path) -> None:
    queue = queue_of()
    no = compiled_answer(tmp_path / "no", "no")
    chats = [await queue.start(folder, HELLO, GREEDY) for folder in (yes, no, yes)]
    assert [await text_of(chat) for chat in chats] == ["yes", "no", "yes"]
    assert [chat.model_version.partition("@")[0] for chat in chats] == ["yes", "no", "yes"]


async def test_the_queue_is_bounded_and_a_chat_that_is_given_up_while_it_waits_leaves_it(endless: Path) -> None:
    queue = queue_of(chat_queue_size=1)
    first = await queue.start(endless, HELLO, GREEDY)
    second = asyncio.create_task(queue.start(endless, HELLO, GREEDY))
    await asyncio.sleep(0)  # it waits now
    with pytest.raises(Overloaded, match="1 chats are waiting already"):
        await queue.start(endless, HELLO, GREEDY)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    third = asyncio.create_task(queue.start(endless, HELLO, GREEDY))
    first.cancel()
    (await third).cancel()
    await queue.idle()


async def test_a_chat_that_is_given_up_before_its_first_token_ends(endless: Path) -> None:
    queue = queue_of()
    chat = await queue.start(endless, HELLO, ChatOptions(1))  # the model is loaded
    await text_of(chat)
    task = asyncio.create_task(queue.start(endless, HELLO, GREEDY))
    while not queue.answering:  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(20):
        await queue.idle()


async def test_chats_that_are_given_up_while_the_model_is_loaded_do_not_load_it_again(
    yes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = []
    load = ChatModel.__init__

    def counted(model: ChatModel, folder: Path, **options: Any) -> None:
        folders.append(folder)
        load(model, folder, **options)

    monkeypatch.setattr(ChatModel, "__init__", counted)
    queue = queue_of()
    for _ in range(3):
        task = asyncio.create_task(queue.start(yes, HELLO, GREEDY))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await text_of(await queue.start(yes, HELLO, GREEDY)) == "yes"
    assert folders == [yes]


async def test_several_slots_answer_several_chats_at_once(endless: Path) -> None:
    queue = queue_of(chat_slots=2, chat_queue_size=0)
    chats = [await queue.start(endless, HELLO, GREEDY) for _ in range(2)]
    assert queue.answering == 2
    for chat in chats:
        chat.cancel()
    await queue.idle()


@pytest.mark.parametrize("failure", ["cannot chat", "damaged", "too long"])
async def test_an_error_before_the_answer_is_raised_and_frees_the_place(
    yes: Path, tmp_path: Path, failure: str
) -> None:
    queue = queue_of(chat_queue_size=0, chat_max_prompt_tokens=64)
    if failure == "too long":
        with pytest.raises(ContractError, match="at most 64"):
            await queue.start(yes, [ChatMessage("user", "a" * 100)], GREEDY)
    elif failure == "cannot chat":
        with pytest.raises(CannotChat):
            await queue.start(compiled_tiny(tmp_path / "judge", "embedded"), HELLO, GREEDY)
    else:
        damaged = compiled_answer(tmp_path / "damaged", "no")
        (damaged / "model.bin").write_bytes(b"damaged")
        with pytest.raises(CompiledModelError, match="damaged"):
            await queue.start(damaged, HELLO, GREEDY)
    await queue.idle()
    assert await text_of(await queue.start(yes, [ChatMessage("user", "a")], GREEDY)) == "yes"


async def test_an_error_in_the_middle_of_an_answer_reaches_its_reader_and_frees_the_place(
    yes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(model: ChatModel, messages: Any, options: Any, write: Any) -> None:
        write("ye")
        raise EngineFailed("out of memory")

    queue = queue_of(chat_queue_size=0)
    with monkeypatch.context() as patch:
        patch.setattr(ChatModel, "answer", fail)
        chat = await queue.start(yes, HELLO, GREEDY)
        with pytest.raises(EngineFailed, match="out of memory"):
            await text_of(chat)
    await queue.idle()
    assert await text_of(await queue.start(yes, HELLO, GREEDY)) == "yes"
