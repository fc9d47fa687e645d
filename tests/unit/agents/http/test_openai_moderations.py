"""OpenAI's own client moderates with our gate, over a real socket."""

import itertools
import random
from collections.abc import AsyncIterator
from typing import get_args

import openai
import pytest

from sluicegate.agents.http.openai.moderation_types import OUR_CATEGORIES, OpenAICategory
from sluicegate.agents.http.passages import passages
from sluicegate.models.inference.judge import Judge
from tests.support.http_api import Api, serving

SAFE = "red running shoes"
UNSAFE = "how to forge a passport"
INSULT = "you are such a pathetic loser"


def client_of(api: Api) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{api.port}/v1", api_key="unused", max_retries=0)


@pytest.fixture
async def client(engine: Judge) -> AsyncIterator[openai.AsyncOpenAI]:
    async with serving(engine) as api, client_of(api) as client:
        yield client


async def test_a_blocked_text_is_flagged_with_the_category_that_decided(client: openai.AsyncOpenAI) -> None:
    answer = await client.moderations.create(input=UNSAFE)
    result = answer.results[0]
    categories = result.categories.model_dump(by_alias=True)
    assert result.flagged
    assert [name for name, flagged in categories.items() if flagged] == ["illicit"]
    assert result.category_scores.illicit > 0.5
    ours = result.model_extra["sluicegate"] if result.model_extra else {}
    assert (ours["verdict"], ours["category"], ours["reason"]) == ("block", "illicit", "block_threshold:illicit")
    assert answer.model == ours["model_version"]


async def test_a_text_to_review_is_flagged_and_our_verdict_tells_it_from_a_blocked_one(
    client: openai.AsyncOpenAI,
) -> None:
    result = (await client.moderations.create(input=INSULT)).results[0]
    assert (result.flagged, result.categories.harassment) == (True, True)
    assert result.model_extra
    assert result.model_extra["sluicegate"]["verdict"] == "review"


async def test_several_texts_get_results_in_their_order(client: openai.AsyncOpenAI) -> None:
    answer = await client.moderations.create(input=[SAFE, UNSAFE, SAFE], model="omni-moderation-latest")
    assert [result.flagged for result in answer.results] == [False, True, False]
    assert not any(answer.results[0].categories.model_dump().values())


async def test_the_parts_of_one_input_get_one_result_the_strictest(client: openai.AsyncOpenAI) -> None:
    parts = [{"type": "text", "text": text} for text in (SAFE, UNSAFE, SAFE)]
    answer = await client.moderations.create(input=parts)  # type: ignore[arg-type]  # plain dictionaries
    assert [result.flagged for result in answer.results] == [True]


async def test_every_category_of_openai_is_there_and_those_that_we_lack_say_that_they_were_not_applied(
    client: openai.AsyncOpenAI,
) -> None:
    result = (await client.moderations.create(input=UNSAFE)).results[0]
    for part in (result.categories, result.category_scores, result.category_applied_input_types):
        assert set(part.model_dump(by_alias=True)) == set(get_args(OpenAICategory)) == set(OUR_CATEGORIES)
    applied = result.category_applied_input_types.model_dump(by_alias=True)
    scores = result.category_scores.model_dump(by_alias=True)
    for name, ours in OUR_CATEGORIES.items():
        assert applied[name] == (["text"] if ours else [])
        assert ours or scores[name] == 0


@pytest.mark.parametrize("place", ["start", "middle", "end"])
async def test_a_long_text_is_read_to_its_end(client: openai.AsyncOpenAI, place: str) -> None:
    words = random.Random(7).choices(["red", "running", "shoes", "for", "children", "in", "summer"], k=160)
    position = {"start": 0, "middle": 80, "end": 160}[place]
    text = " ".join([*words[:position], UNSAFE, *words[position:]])
    assert (await client.moderations.create(input=text)).results[0].flagged


async def test_text_that_grows_when_it_is_cleaned_hides_nothing_behind_it(client: openai.AsyncOpenAI) -> None:
    text = "o\ufb03ce " * 95 + UNSAFE  # one character that stands for three
    assert len(text) < 512 < len(text.replace("\ufb03", "ffi")) - len(UNSAFE)
    assert (await client.moderations.create(input=text)).results[0].flagged


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"input": ""}, "nothing is left"),
        ({"input": ["red shoes", "\u200b"]}, "nothing is left"),
        ({"input": []}, "at least one text"),
        (
            {"input": [{"type": "image_url", "image_url": {"url": "https://a.test/b.png"}}]},
            "'image_url' is not supported",
        ),
        ({"input": ["a", {"type": "text", "text": "b"}]}, "not both"),
        ({"input": 5}, "Expected `str | array`"),
        ({"input": "a", "policy": "none"}, "unknown field `policy`"),
    ],
    ids=["empty", "invisible", "no texts", "image", "mixed", "number", "unknown field"],
)
async def test_what_cannot_be_moderated_is_refused_by_name(
    client: openai.AsyncOpenAI, asked: dict[str, object], message: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=message) as caught:
        await client.post("/moderations", body=asked, cast_to=object)
    assert caught.value.type == "invalid_request_error"
    assert caught.value.param is None or caught.value.param.startswith("$")


async def test_a_model_that_is_not_served_is_not_found(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="'gpt-4o' is not served here: use 'sluice-embedded'") as caught:
        await client.moderations.create(input=SAFE, model="gpt-4o")
    assert caught.value.code == "model_not_found"


async def test_too_many_and_too_long_texts_are_refused_with_the_setting_to_change(engine: Judge) -> None:
    async with serving(engine, http_max_batch=2) as api, client_of(api) as client:
        for texts in ([SAFE] * 3, ["a " * 1000]):
            with pytest.raises(openai.APIStatusError, match="SLUICE_HTTP_MAX_BATCH") as caught:
                await client.moderations.create(input=texts)
            assert caught.value.status_code == 413


async def test_the_models_endpoint_lists_the_model_in_use_by_name_and_finds_it_by_version(
    client: openai.AsyncOpenAI,
) -> None:
    models = [model async for model in client.models.list()]
    assert [(model.id, model.owned_by) for model in models] == [("sluice-embedded", "sluicegate")]
    assert models[0].model_extra
    version = models[0].model_extra["model_version"]
    assert (await client.models.retrieve(version)).id == "sluice-embedded"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("gpt-4o")


def test_passages_overlap_and_lose_no_word() -> None:
    words = [f"word{number}" for number in range(500)]
    parts = list(passages(" ".join(words), 100))
    assert all(len(part) <= 100 for part in parts)
    assert list(dict.fromkeys(" ".join(parts).split())) == words
    assert all(set(part.split()) & set(after.split()) for part, after in itertools.pairwise(parts))


@pytest.mark.parametrize("text", ["a" * 1000, "", "a b", "é" * 100 + " b"])
def test_passages_of_one_endless_word_come_to_an_end(text: str) -> None:
    parts = list(passages(text, 16))
    assert all(len(part) <= 16 for part in parts)
    assert len("".join(parts)) >= len(text.replace(" ", ""))
