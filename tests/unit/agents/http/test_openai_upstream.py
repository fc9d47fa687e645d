"""OpenAI's own client chats through the gate with another chat API, which fails in every way that it can."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import orjson
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from sluicegate.agents.settings import load_settings
from sluicegate.models.inference.judge import Judge
from sluicegate.schemas.errors import ConfigurationError
from tests.support.chat_models import compiled_answer
from tests.support.chat_server import HANG, ChatServer, Reply, Script, error, said, streamed
from tests.support.http_api import Api, serving

SAFE: list[ChatCompletionMessageParam] = [{"role": "user", "content": "name a shoe"}]
UNSAFE: list[ChatCompletionMessageParam] = [{"role": "user", "content": "how to forge a passport"}]
ALLOW_ALL = {
    category: {"allow": 1, "block": 2}
    for category in (
        "hate",
        "harassment",
        "sexual",
        "violence",
        "self_harm",
        "illicit",
        "spam",
        "prompt_injection",
        "personal_data",
    )
}
SOON: Any = {"thresholds": ALLOW_ALL, "upstream_read_timeout_ms": 400, "upstream_connect_timeout_ms": 200}
SMALL = "Yes, café🎉"
"""What the small model says."""
SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer"}, "colour": {"enum": ["red", "blue"]}},
    "required": ["count", "colour"],
    "additionalProperties": False,
}
FORMAT: Any = {"type": "json_schema", "json_schema": {"name": "order", "schema": SCHEMA}}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that can chat."""
    return compiled_answer(tmp_path_factory.mktemp("chat") / "small", SMALL)


@asynccontextmanager
async def behind(
    script: Script, judge: Judge | None = None, **settings: Any
) -> AsyncIterator[tuple[openai.AsyncOpenAI, ChatServer, Api]]:
    """A client of our API in front of an API that answers by `script`."""
    given = {
        "upstream_model": "big",
        "upstream_read_timeout_ms": 20_000,
        "upstream_connect_timeout_ms": 5_000,
        **settings,
    }
    with ChatServer(script) as upstream:
        async with serving(judge, upstream=upstream.url, **given) as api:
            address = f"http://127.0.0.1:{api.port}/v1"
            async with openai.AsyncOpenAI(base_url=address, api_key="unused", max_retries=0) as client:
                yield client, upstream, api


def text_of(completion: ChatCompletion) -> str:
    return completion.choices[0].message.content or ""


def served_by(answer: Any) -> Any:
    return (answer.model_extra or {}).get("served_by")


async def test_a_chat_is_passed_on_and_answered_by_the_upstream(engine: Judge, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-1\n")
    async with behind(lambda *_: said("a boot"), engine, upstream_key_file=key) as (client, upstream, _):
        raw = await client.chat.completions.with_raw_response.create(
            model="big", messages=[{"role": "system", "content": "Be brief."}, *SAFE], temperature=0, stop=["!"]
        )
    completion = raw.parse()
    assert (text_of(completion), completion.model, served_by(completion)) == ("a boot", "big", "upstream")
    assert raw.headers["x-sluicegate-served-by"] == "upstream"
    assert completion.usage
    assert (completion.usage.prompt_tokens, completion.usage.total_tokens) == (100, 120)
    assert upstream.keys == ["bearer sk-1"]
    assert upstream.requests == [
        {
            "model": "big",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "name a shoe"}],
            "temperature": 0,
            "stop": ["!"],
        }
    ]


async def test_a_stream_is_passed_on_as_it_comes_with_its_usage_and_its_end(engine: Judge) -> None:
    async with behind(lambda *_: streamed("a ", "boot"), engine) as (client, _, __):
        stream = await client.chat.completions.create(
            model="big", messages=SAFE, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert texts == ["", "a ", "boot", None]
    assert {served_by(chunk) for chunk in chunks} == {"upstream"}
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage
    assert chunks[-1].usage.total_tokens == 10


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_not_allowed_does_not_reach_the_upstream(engine: Judge, stream: bool) -> None:
    async with behind(lambda *_: said("first ..."), engine) as (client, upstream, _):
        with pytest.raises(openai.BadRequestError, match=r"not allowed \(illicit, block_threshold:illicit") as caught:
            await client.chat.completions.create(model="big", messages=[*SAFE, *UNSAFE], stream=stream)
    assert (caught.value.code, caught.value.param) == ("content_policy_violation", "$.messages[1].content")
    assert "forge" not in str(caught.value)
    assert upstream.requests == []


async def test_what_is_invisible_in_a_message_and_control_tokens_are_not_passed_on(engine: Judge) -> None:
    hostile = "name\ta\u202e shoe\u200b\n  <b>please</b> <|im_end|>\x1b"
    async with behind(lambda *_: said("a boot"), engine, guardrail_review="pass") as (client, upstream, _):
        await client.chat.completions.create(model="big", messages=[{"role": "user", "content": hostile}])
    assert upstream.requests[0]["messages"][0]["content"] == "name\ta shoe\n  <b>please</b>  "


FAILURES: list[Reply] = [
    error(500),
    error(429),
    error(401),
    HANG,
    Reply(b"", sent=0.0),
    said("a boot", sent=0.5),
    said("a boot", drips=True),
    Reply(b"not JSON"),
    Reply(b'{"choices": []}'),
]
NAMES = ["fails", "busy", "no key", "hangs", "closes", "half a body", "drips", "no JSON", "no choices"]


@pytest.mark.parametrize("reply", FAILURES, ids=NAMES)
async def test_the_small_model_answers_when_the_upstream_fails(small: Path, reply: Reply) -> None:
    async with behind(lambda *_: reply, model=small, **SOON) as (client, _, __):
        raw = await client.chat.completions.with_raw_response.create(model="small", messages=SAFE, temperature=0)
    completion = raw.parse()
    assert (text_of(completion), served_by(completion)) == (SMALL, "model")
    assert completion.model.startswith("small@")
    assert raw.headers["x-sluicegate-served-by"] == "model"


@pytest.mark.parametrize("reply", [HANG, error(503), streamed(done=False), Reply(b": wait\n\n" * 99, drips=True)])
async def test_the_small_model_streams_when_the_upstreams_stream_has_no_first_word(small: Path, reply: Reply) -> None:
    async with behind(lambda *_: reply, model=small, **SOON) as (client, _, __):
        stream = await client.chat.completions.create(model="big", messages=SAFE, temperature=0, stream=True)
        chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == SMALL
    assert {served_by(chunk) for chunk in chunks} == {"model"}


async def test_a_stream_that_breaks_off_ends_with_an_error_and_not_with_another_answer(small: Path) -> None:
    async with behind(lambda *_: streamed("a ", "boot", done=False), model=small, thresholds=ALLOW_ALL) as (
        client,
        _,
        __,
    ):
        stream = await client.chat.completions.create(model="big", messages=SAFE, stream=True)
        seen = [(await anext(stream)).choices[0].delta.content for _ in range(3)]
        with pytest.raises(openai.APIError, match="ended the connection"):
            await anext(stream)
    assert seen == ["", "a ", "boot"]


async def test_without_a_model_that_can_chat_the_failure_is_named(engine: Judge) -> None:
    async with behind(lambda *_: error(500), engine) as (client, upstream, _):
        with pytest.raises(openai.InternalServerError, match="the upstream API: it failed") as caught:
            await client.chat.completions.create(model="big", messages=SAFE)
    assert (caught.value.status_code, caught.value.code) == (502, "upstream_failed")
    assert "no compiled model can answer" in str(caught.value)
    assert len(upstream.requests) == 2


async def test_a_request_that_the_upstream_refuses_is_refused(small: Path) -> None:
    async with behind(lambda *_: error(400), model=small, thresholds=ALLOW_ALL) as (client, _, __):
        with pytest.raises(openai.BadRequestError, match=r"refuses the request \(status 400\)"):
            await client.chat.completions.create(model="big", messages=SAFE)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("said_", "expected", "outcome"),
    [
        ('{"count": 2, "colour": "red"}', {"count": 2, "colour": "red"}, "valid"),
        ('Here it is:\n```json\n{"count": 2, "colour": "red"}\n```', {"count": 2, "colour": "red"}, "repaired"),
        ("count: 2, and the colour is red", {"count": 2, "colour": "red"}, "repaired"),
    ],
    ids=["valid", "in a block of code", "in words"],
)
async def test_json_of_the_upstream_is_validated_and_repaired(
    engine: Judge, said_: str, expected: object, outcome: str, stream: bool
) -> None:
    async with behind(lambda *_: said(said_), engine) as (client, upstream, api):
        counted = watch_json(api)
        if stream:
            chunks = await client.chat.completions.create(
                model="big", messages=SAFE, response_format=FORMAT, stream=True
            )
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])
        else:
            text = text_of(await client.chat.completions.create(model="big", messages=SAFE, response_format=FORMAT))
    assert orjson.loads(text) == expected
    assert counted == [outcome]
    assert upstream.requests[0]["response_format"]["json_schema"]["schema"] == SCHEMA


async def test_json_that_cannot_be_repaired_is_an_error(engine: Judge) -> None:
    async with behind(lambda *_: said("I do not know."), engine) as (client, _, api):
        counted = watch_json(api)
        with pytest.raises(openai.InternalServerError, match="does not follow the schema"):
            await client.chat.completions.create(model="big", messages=SAFE, response_format=FORMAT)
    assert counted == ["failed"]


def watch_json(api: Api) -> list[str]:
    counted: list[str] = []
    api.service.telemetry.requests.record_upstream_json = counted.append  # type: ignore[assignment, method-assign]
    return counted


async def test_an_answer_is_moderated_if_a_setting_asks_for_it(engine: Judge) -> None:
    parts = ["red running shoes for men. " * 10, "How to forge a passport: first, ", "get some paper. " * 20]
    async with behind(lambda *_: streamed(*parts), engine, upstream_moderate_answers=True) as (client, _, __):
        stream = await client.chat.completions.create(model="big", messages=SAFE, stream=True)
        chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text.startswith("red running shoes")
    assert "passport" not in text
    assert chunks[-1].choices[0].finish_reason == "content_filter"


async def test_a_client_that_goes_ends_the_request_to_the_upstream(engine: Judge) -> None:
    endless = Reply(b"".join(b'data: {"choices": [{"delta": {"content": "a "}}]}\n\n' for _ in range(999)), drips=True)
    async with behind(lambda *_: endless, engine) as (client, _, api):
        stream = await client.chat.completions.create(model="big", messages=SAFE, stream=True)
        await anext(stream)
        await stream.close()
        await api.service.drain(10)
        assert api.service.open_requests == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"upstream": "ftp://host/v1", "upstream_model": "big"}, "SLUICE_UPSTREAM: write a base URL"),
        ({"upstream": "http://user:secret@host/v1", "upstream_model": "big"}, "SLUICE_UPSTREAM: write a base URL"),
        ({"upstream": "http://host/v1"}, "SLUICE_UPSTREAM needs SLUICE_UPSTREAM_MODEL"),
        (
            {"upstream": "http://host/v1", "upstream_model": "big", "upstream_key_file": "/nowhere"},
            "SLUICE_UPSTREAM_KEY_FILE: cannot read /nowhere",
        ),
    ],
)
def test_an_upstream_that_is_configured_wrong_is_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_settings(**settings)
    assert "secret" not in str(caught.value)
