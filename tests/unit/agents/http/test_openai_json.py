"""OpenAI's own client asks for JSON that follows a schema. The model has random weights: only the grammar helps it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from openai.types.shared_params import ResponseFormatJSONSchema
from pydantic import BaseModel, Field

from sluicegate.models.formatting.schema import FormatSchema
from tests.support.chat_models import compiled_chat
from tests.support.http_api import serving

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "two apples"}]


class Line(BaseModel):
    product: Literal["apple", "pear"]
    quantity: int = Field(ge=1, le=9)


class Order(BaseModel):
    lines: list[Line] = Field(min_length=1, max_length=2)
    urgent: bool
    note: str | None = Field(max_length=8)


def schema_format(schema: dict[str, Any]) -> ResponseFormatJSONSchema:
    return {"type": "json_schema", "json_schema": {"name": "order", "strict": True, "schema": schema}}


@pytest.fixture(scope="module")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_chat(tmp_path_factory.mktemp("chat") / "random")


@pytest.fixture
async def client(random_model: Path) -> AsyncIterator[openai.AsyncOpenAI]:
    async with serving(model=random_model) as api:
        url = f"http://127.0.0.1:{api.port}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key="unused", max_retries=0) as client:
            yield client


async def test_an_answer_follows_the_schema_of_a_pydantic_model(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.parse(model="random", messages=MESSAGES, response_format=Order)
    assert answer.choices[0].finish_reason == "stop"
    assert isinstance(answer.choices[0].message.parsed, Order)


async def test_a_sampled_answer_follows_the_schema_in_a_stream_too(client: openai.AsyncOpenAI) -> None:
    schema = Order.model_json_schema()
    stream = await client.chat.completions.create(
        model="random", messages=MESSAGES, response_format=schema_format(schema), temperature=1.5, stream=True
    )
    pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert len(pieces) > 5
    assert FormatSchema.from_json(schema).allows(json.loads("".join(pieces)))


async def test_an_answer_that_is_cut_says_so(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        model="random", messages=MESSAGES, response_format={"type": "json_object"}, max_tokens=5
    )
    assert answer.choices[0].finish_reason == "length"
    assert (answer.choices[0].message.content or "").startswith("{")


async def test_a_schema_that_cannot_be_followed_is_refused_by_name(
    client: openai.AsyncOpenAI,
) -> None:
    schema = {"type": "object", "properties": {"tags": {"type": "array", "uniqueItems": True}}}
    with pytest.raises(openai.BadRequestError, match="#/properties/tags`, keyword `uniqueItems`") as caught:
        await client.chat.completions.create(model="random", messages=MESSAGES, response_format=schema_format(schema))
    assert caught.value.param == "$.response_format.json_schema.schema"
