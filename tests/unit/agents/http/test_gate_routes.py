"""Our own door, over a real socket with the real engine."""

from pathlib import Path

import pytest

from sluicegate import Gate
from sluicegate.models.inference.judge import Judge
from tests.support.http_api import HeldJudge, serving

MISSPELT = "wireless headphons"
UNSAFE = "how to forge a passport"


async def test_the_gate_answers_as_the_python_api_does(engine: Judge) -> None:
    async with serving(engine) as api:
        answers = [(await api.client.post("/v1/gate", json={"text": text})).json() for text in (MISSPELT, UNSAFE)]
    with Gate() as gate:
        decisions = gate.decide_many([MISSPELT, UNSAFE])
    for answer, decision in zip(answers, decisions, strict=True):
        assert answer["verdict"] == decision.verdict
        assert answer["reason_codes"] == list(decision.reason_codes)
        assert answer["lexical"] == decision.lexical
        assert (answer["model_version"], answer["truncated"]) == (decision.model_version, False)


async def test_moderation_says_why_and_the_rewrite_of_a_blocked_query_is_empty(engine: Judge) -> None:
    async with serving(engine) as api:
        moderation = (await api.client.post("/v1/moderate", json={"text": UNSAFE, "event_id": "q-1"})).json()
        rewrite = (await api.client.post("/v1/rewrite", json={"text": UNSAFE})).json()
    assert moderation["event_id"] == "q-1"
    assert (moderation["allow"], moderation["verdict"], moderation["gate"]) == (False, "block", "model")
    assert moderation["reason"].endswith(moderation["category"])
    assert (rewrite["verdict"], rewrite["lexical"], rewrite["semantic"], rewrite["intent"]) == (
        "block",
        None,
        None,
        None,
    )


@pytest.mark.parametrize("path", ["/v1/gate/batch", "/v1/moderate/batch", "/v1/rewrite/batch"])
async def test_a_batch_is_answered_in_its_order_with_an_error_for_each_text_that_has_none(
    engine: Judge, path: str
) -> None:
    async with serving(engine) as api:
        body = {"texts": [UNSAFE, " ", MISSPELT], "event_id": "b", "userId": "u-1"}
        results = (await api.client.post(path, json=body)).json()["results"]
    assert [result["answer"] and result["answer"]["verdict"] for result in results] == ["block", None, "allow"]
    assert results[2]["answer"]["event_id"] == "b-2"
    assert results[1]["error"]["param"] == "$.texts[1]"
    assert results[0]["error"] is None


async def test_a_batch_of_too_many_texts_is_refused(engine: Judge) -> None:
    async with serving(engine, http_max_batch=2) as api:
        refused = await api.client.post("/v1/gate/batch", json={"texts": ["a", "b", "c"]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (413, "$.texts")


@pytest.mark.parametrize("path", ["/v1/gate", "/v1/rewrite"])
async def test_a_query_that_was_cut_says_so(engine: Judge, path: str) -> None:
    async with serving(engine) as api:
        answer = (await api.client.post(path, json={"text": "red shoes " * 100})).json()
    assert answer["truncated"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("red running shoes for men. " * 120, ". blue shoes for women" * 120),
        ("красные туфли " * 30, " туфли" * 10),
        ("红色跑鞋" * 100, " 红色跑鞋"),
    ],
    ids=["more characters than one query has", "more tokens than one query has", "one long word, of many tokens"],
)
async def test_moderation_reads_a_text_to_its_end(engine: Judge, before: str, after: str) -> None:
    text = f"{before} {UNSAFE}{after}"
    async with serving(engine) as api:
        cut = (await api.client.post("/v1/gate", json={"text": text})).json()
        moderated = (await api.client.post("/v1/moderate", json={"text": text, "event_id": "t-1"})).json()
        batch = (await api.client.post("/v1/moderate/batch", json={"texts": [MISSPELT, text]})).json()["results"]
    assert cut["truncated"]
    assert (moderated["event_id"], moderated["allow"], moderated["category"]) == ("t-1", False, "illicit")
    assert not moderated["truncated"]
    assert [item["answer"]["allow"] for item in batch] == [True, False]


async def test_a_text_that_is_longer_than_a_batch_may_be_is_refused(engine: Judge) -> None:
    async with serving(engine, http_max_batch=2) as api:
        refused = await api.client.post("/v1/moderate", json={"text": "red shoes " * 103})
    assert (refused.status_code, refused.json()["error"]["param"]) == (413, "$.text")


async def test_one_time_limit_holds_for_all_passages_of_a_text(engine: Judge) -> None:
    held = HeldJudge(engine)
    async with serving(held) as api:
        asked = {"text": "red shoes " * 1000, "deadline_ms": 300, "fail": "open"}
        answer = (await api.client.post("/v1/moderate", json=asked)).json()
        held.release.set()
    assert (answer["verdict"], answer["degraded"], answer["gate"]) == ("allow", True, "policy")


async def test_the_answer_says_that_a_list_of_the_surface_decided(engine: Judge, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('name = "shop"\n[list.banned]\naction = "block"\ncategory = "spam"\nterms = ["casino bonus"]\n')
    async with serving(engine, policy=policy) as api:
        answer = (await api.client.post("/v1/moderate", json={"text": "casino bonus", "surface": "web"})).json()
    assert (answer["verdict"], answer["gate"], answer["reason"]) == ("block", "list", "list:banned")
    assert answer["policy_version"].startswith("shop@")
