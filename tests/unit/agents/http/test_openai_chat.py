"""OpenAI's own client chats with a compiled model, over a real socket: sync, async and streaming."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from sluicegate.agents.http.keys import add_key
from sluicegate.models.inference.chat import ChatEnd, ChatModel
from sluicegate.schemas.errors import EngineFailed
from tests.support.chat_models import compiled_answer
from tests.support.http_api import Api, serving

ANSWER = "Yes, café🎉"
LONGEST = 32_768
MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "is it?"}]


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that writes `ANSWER`."""
    return compiled_answer(tmp_path_factory.mktemp("chat") / "yes", ANSWER)


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that does not come to an end."""
    return compiled_answer(tmp_path_factory.mktemp("chat") / "endless", "ab", then="a")


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[ChatEnd]:
    """How each answer of the model ended."""
    seen = []
    answer = ChatModel.answer

    def watched(model: ChatModel, *given: Any) -> ChatEnd:
        seen.append(answer(model, *given))
        return seen[-1]

    monkeypatch.setattr(ChatModel, "answer", watched)
    return seen


def client_of(api: Api, **options: Any) -> openai.AsyncOpenAI:
    given = {"api_key": "unused", "max_retries": 0, **options}
    return openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{api.port}/v1", **given)


@asynccontextmanager
async def chatting(model: Path, **settings: Any) -> AsyncIterator[tuple[openai.AsyncOpenAI, Api]]:
    async with serving(model=model, **settings) as api, client_of(api) as client:
        yield client, api


async def test_a_completion_has_the_answer_the_reason_of_its_end_and_the_usage(scripted: Path) -> None:
    async with chatting(scripted) as (client, _):
        answer = await client.chat.completions.create(model="yes", messages=MESSAGES, temperature=0)
    assert answer.choices[0].message.content == ANSWER
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model.startswith("yes@")
    assert answer.usage
    assert answer.usage.completion_tokens == len(ANSWER.encode()) + 1
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_a_stream_gives_whole_characters_then_the_reason_then_the_usage(scripted: Path) -> None:
    async with chatting(scripted) as (client, _):
        stream = await client.chat.completions.create(
            model="yes", messages=MESSAGES, temperature=0, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert deltas[0].role == "assistant"
    assert [delta.content for delta in deltas if delta.content] == list(ANSWER)
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 2) + ["stop"]
    assert (chunks[-1].choices, [chunk.usage for chunk in chunks[:-1]]) == ([], [None] * (len(chunks) - 1))
    assert chunks[-1].usage
    assert chunks[-1].usage.completion_tokens == len(ANSWER.encode()) + 1
    assert len({chunk.id for chunk in chunks}) == 1


async def test_a_stream_is_server_sent_events_that_end_with_done(scripted: Path) -> None:
    asked = {"model": "yes", "messages": MESSAGES, "temperature": 0, "stream": True}
    async with chatting(scripted) as (_, api):
        answer = await api.client.post("/v1/chat/completions", json=asked)
    events = answer.text.split("\n\n")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["traceparent"]
    assert all(event.startswith("data: {") for event in events[:-2])
    assert events[-2:] == ["data: [DONE]", ""]
    assert "usage" not in answer.text


def in_a_thread(port: int) -> tuple[str | None, list[str]]:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="unused") as client:
        whole = client.chat.completions.create(model="yes", messages=MESSAGES, temperature=0)
        with client.chat.completions.create(model="yes", messages=MESSAGES, temperature=0, stream=True) as stream:
            pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
    return whole.choices[0].message.content, pieces


async def test_the_client_that_blocks_works_too(scripted: Path) -> None:
    async with chatting(scripted) as (_, api):
        whole, pieces = await asyncio.to_thread(in_a_thread, api.port)
    assert (whole, "".join(pieces)) == (ANSWER, ANSWER)


async def test_stop_strings_and_max_tokens_end_an_answer(scripted: Path) -> None:
    async with chatting(scripted) as (client, _):

        async def ask(**options: Any) -> tuple[str | None, str]:
            answer = await client.chat.completions.create(model="yes", messages=MESSAGES, temperature=0, **options)
            return answer.choices[0].message.content, answer.choices[0].finish_reason

        assert await ask(stop="fé") == ("Yes, ca", "stop")
        assert await ask(stop=["never", " c", "e"]) == ("Y", "stop")
        assert await ask(max_tokens=3) == ("Yes", "length")
        assert await ask(max_completion_tokens=3, seed=7) == ("Yes", "length")


async def test_all_roles_and_parts_of_text_are_read(scripted: Path) -> None:
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "is "}, {"type": "text", "text": "it?"}]},
        {"role": "assistant", "content": "perhaps", "refusal": None, "tool_calls": []},
        {"role": "developer", "content": "now"},
        {"role": "user", "content": "<|im_end|>"},
    ]
    async with chatting(scripted) as (client, _):
        answer = await client.chat.completions.create(model="yes", messages=messages, temperature=0)
    assert answer.choices[0].message.content == ANSWER


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"response_format": {"type": "json_schema"}}, "`json_schema` is missing"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}}, "missing required field `schema`"),
        ({"response_format": {"type": "grammar"}}, "response_format 'grammar' is not supported"),
        ({"response_format": {"type": "json_object"}, "stop": "}"}, "`stop` is not supported with JSON"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "`tools` is not supported"),
        ({"logprobs": True}, "`logprobs` is not supported"),
        ({"n": 2}, "`n` other than 1"),
        ({"frequency_penalty": 0.5}, "`frequency_penalty` is not supported"),
        ({"logit_bias": {"5": 1}}, "`logit_bias` is not supported"),
        ({"reasoning_effort": "high"}, "`reasoning_effort` is not supported"),
        ({"store": True}, "`store` is not supported"),
        ({"seed": 5, "temperature": 1}, "`seed` is supported with `temperature` 0 only"),
        ({"seed": 5}, "`seed` is supported with `temperature` 0 only"),
        ({"stream_options": {"include_usage": True}}, "needs `stream`"),
        ({"stream": True, "stream_options": {"include_obfuscation": True}}, "`include_obfuscation` is not supported"),
        ({"max_tokens": 100_000}, "at most 1024 is allowed"),
        ({"max_tokens": 0}, "Expected `int` >= 1"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "differ"),
        ({"stop": ["a"] * 5}, "length <= 4"),
        ({"stop": ""}, "length >= 1"),
        ({"temperature": 2.5}, "<= 2"),
        ({"top_k": 5}, "unknown field `top_k`"),
        ({"messages": []}, "length >= 1"),
        ({"messages": [{"role": "tool", "tool_call_id": "a", "content": "b"}]}, "role 'tool' is not supported"),
        ({"messages": [{"role": "user", "content": None}]}, "no `content`"),
        ({"messages": [{"role": "user", "content": "a", "name": "bob"}]}, "`name` is not supported"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "'image_url' is not supported",
        ),
        ({"messages": [{"role": "user", "content": "a" * 5000}]}, "at most 4096 are allowed"),
    ],
    ids=lambda given: ",".join(given) if isinstance(given, dict) else "",
)
async def test_what_cannot_be_honoured_is_refused_by_its_name(
    scripted: Path, asked: dict[str, object], message: str
) -> None:
    async with chatting(scripted) as (client, _):
        with pytest.raises(openai.BadRequestError, match=message) as caught:
            await client.post("/chat/completions", body={"model": "yes", "messages": MESSAGES, **asked}, cast_to=object)
    assert caught.value.type == "invalid_request_error"
    assert caught.value.param or "unknown field" in message


async def test_values_that_ask_for_nothing_are_accepted(scripted: Path) -> None:
    nothing = {
        "n": 1, "logprobs": False, "tools": [], "tool_choice": "none", "response_format": {"type": "text"},
        "presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": None, "store": False, "user": "u-1",
        "reasoning_effort": "none", "service_tier": "auto", "stop": None, "seed": None,
    }  # fmt: skip
    async with chatting(scripted) as (client, _):
        await client.post("/chat/completions", body={"model": "yes", "messages": MESSAGES, **nothing}, cast_to=object)


async def test_a_model_that_only_judges_is_not_found_and_the_error_says_which_model_chats() -> None:
    async with serving() as api, client_of(api) as client:
        with pytest.raises(openai.NotFoundError, match="cannot chat: compile a Qwen3 model") as caught:
            await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert caught.value.code == "model_not_found"


async def test_another_model_is_not_found(scripted: Path) -> None:
    async with chatting(scripted) as (client, _):
        with pytest.raises(openai.NotFoundError, match="use 'yes'"):
            await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)


async def test_a_wrong_api_key_is_an_authentication_error(scripted: Path, tmp_path: Path) -> None:
    key = add_key(tmp_path / "keys", "tests")
    async with chatting(scripted, http_keys=tmp_path / "keys") as (_, api):
        async with client_of(api, api_key="sluice-wrong") as client:
            with pytest.raises(openai.AuthenticationError):
                await client.chat.completions.create(model="yes", messages=MESSAGES)
        async with client_of(api, api_key=key) as client:
            assert await client.chat.completions.create(model="yes", messages=MESSAGES, temperature=0)


async def test_chats_beyond_the_queue_are_refused_at_once_and_the_gate_still_answers(endless: Path) -> None:
    async with chatting(endless, chat_queue_size=0, chat_max_tokens=LONGEST) as (client, api):
        stream = await client.chat.completions.create(model="endless", messages=MESSAGES, stream=True)
        with pytest.raises(openai.RateLimitError, match="try again later") as caught:
            await client.chat.completions.create(model="endless", messages=MESSAGES)
        assert caught.value.response.headers["retry-after"]
        assert (await client.moderations.create(input="red shoes")).results
        await stream.close()
        await slot_is_free(api)


async def test_a_client_that_leaves_in_the_middle_of_a_stream_ends_the_answer(
    endless: Path, ends: list[ChatEnd]
) -> None:
    async with chatting(endless, chat_max_tokens=LONGEST) as (client, api):
        stream = await client.chat.completions.create(model="endless", messages=MESSAGES, stream=True)
        await anext(aiter(stream))
        assert api.service.chats.answering == 1
        await stream.close()
        await slot_is_free(api)
    assert ends[0].answer_tokens < LONGEST


async def test_a_client_that_leaves_before_the_answer_is_there_ends_it(endless: Path, ends: list[ChatEnd]) -> None:
    async with chatting(endless, chat_max_tokens=LONGEST) as (client, api):
        with pytest.raises(openai.APITimeoutError):
            await client.with_options(timeout=0.5).chat.completions.create(model="endless", messages=MESSAGES)
        await slot_is_free(api)
    assert ends[0].answer_tokens < LONGEST


async def slot_is_free(api: Api) -> None:
    """Wait until no chat is answered any more."""
    async with asyncio.timeout(30):
        await api.service.chats.idle()


async def test_a_model_that_fails_in_the_middle_of_a_stream_is_an_error_of_the_client(
    scripted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(model: ChatModel, messages: Any, options: Any, write: Any) -> None:
        write("Ye")
        raise EngineFailed("out of memory")

    monkeypatch.setattr(ChatModel, "answer", fail)
    received: list[ChatCompletionChunk] = []
    async with chatting(scripted) as (client, _):
        stream = await client.chat.completions.create(model="yes", messages=MESSAGES, stream=True)
        with pytest.raises(openai.APIError, match="the model failed on this request"):
            await read(stream, received)
    assert [chunk.choices[0].delta.content for chunk in received] == ["", "Ye"]


async def read(stream: openai.AsyncStream[ChatCompletionChunk], received: list[ChatCompletionChunk]) -> None:
    """Add each chunk of `stream` to `received`, until it ends or fails."""
    async for chunk in stream:
        received.append(chunk)  # noqa: PERF401 - a comprehension would lose what came before the error


async def test_a_stop_of_the_server_ends_long_chats_with_an_error_and_waiting_ones_with_503(endless: Path) -> None:
    async with chatting(endless, chat_max_tokens=LONGEST) as (client, api):
        stream = await client.chat.completions.create(model="endless", messages=MESSAGES, stream=True)
        waiting = asyncio.create_task(client.chat.completions.create(model="endless", messages=MESSAGES))
        async with asyncio.timeout(30):
            while api.service.open_requests < 2:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)
        await api.service.drain(0.1)
        with pytest.raises(openai.APIError, match="the service is stopping"):
            await read(stream, [])
        with pytest.raises(openai.InternalServerError, match="the service is stopping") as caught:
            await waiting
        assert caught.value.status_code == 503
        await slot_is_free(api)
