"""Too much at once: what the service refuses, what it degrades, and how it stops."""

import asyncio

import httpx
import pytest

from sluicegate.agents.settings import load_settings
from sluicegate.models.inference.judge import Judge
from sluicegate.schemas.errors import ConfigurationError
from tests.support.http_api import Api, HeldJudge, serving


async def asked(api: Api, text: str, **fields: object) -> httpx.Response:
    return await api.client.post("/v1/moderate", json={"text": text, **fields})


def error_of(answer: httpx.Response) -> tuple[int, str, bool]:
    return answer.status_code, answer.json()["error"]["code"], "retry-after" in answer.headers


async def test_a_full_queue_is_answered_with_429_at_once(engine: Judge) -> None:
    judge = HeldJudge(engine)
    async with serving(judge, queue_size=1, batch_size=1) as api:
        first = asyncio.create_task(asked(api, "red shoes"))
        await judge.is_asked()
        refused = await asked(api, "blue shoes")
        judge.release.set()
        assert (await first).status_code == 200
    assert error_of(refused) == (429, "overloaded", True)


@pytest.mark.parametrize(("fail", "verdict"), [("open", "allow"), ("closed", "review")])
async def test_a_full_queue_degrades_by_policy_where_the_setting_says_so(
    engine: Judge, fail: str, verdict: str
) -> None:
    judge = HeldJudge(engine)
    async with serving(judge, queue_size=1, batch_size=1, http_overload="degrade") as api:
        first = asyncio.create_task(asked(api, "red shoes"))
        await judge.is_asked()
        degraded = (await asked(api, "blue shoes", fail=fail)).json()
        judge.release.set()
        await first
    assert (degraded["verdict"], degraded["degraded"], degraded["gate"]) == (verdict, True, "policy")
    assert degraded["reason"] == f"fail_{fail}"


@pytest.mark.parametrize(
    ("setting", "fail", "verdict"),
    [("closed", None, "review"), ("closed", "open", "allow"), ("open", "closed", "review")],
)
async def test_a_request_has_its_own_deadline_and_fail_mode(
    engine: Judge, setting: str, fail: str | None, verdict: str
) -> None:
    judge = HeldJudge(engine)
    async with serving(judge, fail=setting) as api:
        answer = (await asked(api, "red shoes", deadline_ms=50, fail=fail)).json()
        judge.release.set()
    assert (answer["verdict"], answer["degraded"]) == (verdict, True)


async def test_more_requests_than_may_be_open_are_answered_with_429(engine: Judge) -> None:
    judge = HeldJudge(engine)
    async with serving(judge, http_max_requests=1) as api:
        first = asyncio.create_task(asked(api, "red shoes"))
        await judge.is_asked()
        refused = await asked(api, "blue shoes")
        probe = await api.client.get("/livez")
        judge.release.set()
        assert (await first).status_code == 200
        assert (await asked(api, "blue shoes")).status_code == 200
    assert error_of(refused) == (429, "overloaded", True)
    assert probe.status_code == 200


async def test_a_client_that_asks_too_often_is_told_when_to_come_back(engine: Judge) -> None:
    async with serving(engine, http_rate="3/minute") as api:
        answers = [await asked(api, "red shoes") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert error_of(answers[-1]) == (429, "rate_limited", True)
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


def test_a_rate_that_is_none_is_refused_at_start() -> None:
    with pytest.raises(ConfigurationError, match="SLUICE_HTTP_RATE: write a number and a time"):
        load_settings(http_rate="often")


async def test_a_stop_answers_what_is_in_flight_and_refuses_what_is_new(engine: Judge) -> None:
    judge = HeldJudge(engine)
    async with serving(judge) as api:
        first = asyncio.create_task(asked(api, "red shoes"))
        await judge.is_asked()
        stop = asyncio.create_task(api.service.drain(30))
        while not api.service.stopping:  # noqa: ASYNC110 - it is set at the task's first step
            await asyncio.sleep(0)
        refused = await asked(api, "blue shoes")
        assert not stop.done()
        judge.release.set()
        assert (await first).json()["verdict"] == "allow"
        await stop
    assert error_of(refused) == (503, "unavailable", True)
