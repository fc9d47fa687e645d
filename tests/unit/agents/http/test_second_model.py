"""The HTTP API with a second model: answers say which model said what, and none waits longer than it should."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sluicegate.agents.deciding.live_models import LiveModels
from sluicegate.agents.http.trials import DecidedText, Trials
from sluicegate.agents.settings import load_settings
from sluicegate.agents.telemetry import EventSpan, PrometheusPage, Telemetry
from sluicegate.models.artifacts.registry import Registry
from sluicegate.models.inference.labels import Category
from sluicegate.schemas.events import Context, LedgerRecord
from tests.support.compiled import compiled_twins
from tests.support.http_api import Api, serving
from tests.support.two_models import SURE, UNSURE, SecondJudge, loaded
from tests.support.word_judge import WordJudge

SCREEN = {"knife": UNSURE, "poison": UNSURE, "forge": SURE}
SECOND = {"poison": {"allow": 0.01, "violence": 0.99}}


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> tuple[WordJudge, SecondJudge]:
    folder = tmp_path_factory.mktemp("models")
    return WordJudge(folder / "screen", SCREEN), SecondJudge(folder / "second", SECOND)


@pytest.fixture
def second(judges: tuple[WordJudge, SecondJudge]) -> Iterator[SecondJudge]:
    yield judges[1]
    judges[1].going_on.set()


@asynccontextmanager
async def both(
    judges: tuple[WordJudge, SecondJudge], telemetry: Telemetry | None = None, **given: Any
) -> AsyncIterator[Api]:
    screen, second = Path("screen"), Path("second")
    async with serving(None, telemetry, loaded(*judges), model=screen, second_model=second, **given) as api:
        yield api


async def gate(api: Api, text: str, **asked: object) -> dict[str, Any]:
    answer = await api.client.post("/v1/gate", json={"text": text, **asked})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_batch_is_decided_by_both_models_and_each_answer_says_which_one_decided(
    judges: tuple[WordJudge, SecondJudge], second: SecondJudge
) -> None:
    async with both(judges) as api:
        texts = ["chef knife", "red shoes", "rat poison", "forge a passport"]
        batch = await api.client.post("/v1/gate/batch", json={"texts": texts})
        moderated = (await api.client.post("/v1/moderate", json={"text": "rat poison"})).json()
    answers = [item["answer"] for item in batch.json()["results"]]
    assert [each["verdict"] for each in answers] == ["allow", "allow", "block", "block"]
    assert [each["second"] and each["second"]["verdict"] for each in answers] == ["allow", None, "block", None]
    knife = answers[0]
    assert (knife["second"]["screened_verdict"], knife["second"]["decided"]) == ("review", True)
    assert knife["second"]["model_version"] == second.manifest.model_version
    assert "second;dur=" in batch.headers["server-timing"]
    assert (moderated["verdict"], moderated["reason"]) == ("block", "block_threshold:violence")
    assert "second:block" in moderated["reason_codes"]


async def test_a_request_with_a_deadline_is_answered_by_the_first_model_while_the_second_hangs(
    judges: tuple[WordJudge, SecondJudge], second: SecondJudge
) -> None:
    second.going_on.clear()
    async with both(judges, second_deadline_ms=10_000, http_overload="refuse") as api:
        async with asyncio.timeout(8):
            knife = await gate(api, "chef knife", deadline_ms=500, fail="open")
            shoes = await gate(api, "red shoes")
        second.going_on.set()
    assert (knife["verdict"], knife["degraded"], knife["second"]["error"]) == ("review", False, "DeadlineExceeded")
    assert "second:overloaded" in knife["reason_codes"]
    assert (shoes["verdict"], shoes["second"]) == ("allow", None)


async def test_what_finds_too_many_waiting_for_the_second_model_is_answered_at_once(
    judges: tuple[WordJudge, SecondJudge], second: SecondJudge
) -> None:
    second.going_on.clear()
    async with both(judges, second_deadline_ms=10_000, second_queue_size=2, http_overload="refuse") as api:
        waiting = [asyncio.create_task(gate(api, f"knife {number}")) for number in range(2)]
        asked = api.models.second
        assert asked
        while asked.waiting < 2:  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(0.01)
        refused = await gate(api, "one more knife")
        assert not any(task.done() for task in waiting)
        second.going_on.set()
        answered = await asyncio.gather(*waiting)
    assert (refused["verdict"], refused["second"]["error"]) == ("review", "Overloaded")
    assert "second:overloaded" in refused["reason_codes"]
    assert [each["verdict"] for each in answered] == ["allow", "allow"]


async def test_no_answer_waits_for_a_sample_which_has_a_record_of_its_own_and_is_counted(
    judges: tuple[WordJudge, SecondJudge], second: SecondJudge, tmp_path: Path
) -> None:
    second.going_on.clear()
    (telemetry, page), ledger = counting(), tmp_path / "ledger.jsonl"
    given = {"second_sample": 1, "second_deadline_ms": 10_000, "http_ledger": f"file:{ledger}"}
    async with both(judges, telemetry, **given) as api:
        shoes = await gate(api, "red shoes", user_id="u-17")
        assert api.service.trials
        assert api.service.trials.under_way == 1
        second.going_on.set()
        await ended(api)
    assert shoes["second"] is None
    own, sample = records(ledger)
    assert own.decision
    assert sample.decision
    assert sample.decision.second
    assert (own.shadow, own.decision.second, sample.shadow) == (False, None, True)
    assert (sample.decision.second.asked_for, sample.decision.second.verdict) == ("sample", "allow")
    assert (sample.event_id, sample.context, sample.outcome) == (own.event_id, own.context, "allowed")
    assert b'sluicegate_second_asked_for="sample"' in page.render()[1]


async def test_the_end_cancels_the_trials_that_are_under_way(
    judges: tuple[WordJudge, SecondJudge], second: SecondJudge
) -> None:
    settings = load_settings(model=Path("screen"), second_model=Path("second"), second_sample=1)
    telemetry = Telemetry.off()
    async with LiveModels[EventSpan].running(loaded(*judges), settings) as models:
        with telemetry.requests.span(telemetry.extract(()), method="POST", route="/v1/gate") as span:
            decision = await models.in_use.decide("red shoes", span)
        second.going_on.clear()
        async with Trials.running(settings, telemetry, None) as trials:
            trials.start(models, DecidedText("red shoes", "q-1", Context(), span), models.in_use, decision)
            assert trials.under_way == 1
        assert trials.under_way == 0
        second.going_on.set()


async def test_a_second_model_in_shadow_is_asked_for_the_ledger_only(tmp_path: Path) -> None:
    first, other = compiled_twins(tmp_path)
    registry, ledger = Registry(tmp_path / "registry"), tmp_path / "ledger.jsonl"
    in_use = registry.use(str(first))
    candidate = registry.try_out(str(other), "shadow", 1)
    review_all = {category: {"allow": 0.0, "block": 1.1} for category in Category}
    given: dict[str, Any] = {"model": first, "second_model": registry.folder, "thresholds": review_all}
    telemetry, page = counting()
    async with serving(None, telemetry, http_ledger=f"file:{ledger}", **given) as api:
        shoes = await gate(api, "red shoes")
        await ended(api)
    async with serving(**given) as api:
        await gate(api, "red shoes")
        assert api.service.trials
        assert api.service.trials.under_way == 0, "without a ledger nobody would see it"
    own, shadow = records(ledger)
    assert shoes["second"]["model_version"] == in_use
    assert shadow.decision
    assert shadow.decision.second
    assert (own.shadow, shadow.shadow, shadow.decision.second.model_version) == (False, True, candidate)
    [asked] = [line for line in page.render()[1].splitlines() if line.startswith(b"sluicegate_second_outcomes_total{")]
    assert asked.endswith(b"} 1.0"), "the shadow is not counted"


def counting() -> tuple[Telemetry, PrometheusPage]:
    page = PrometheusPage()
    return Telemetry.start(
        otlp_endpoint=None, sample_ratio=1, service_version="1", instance_id="test", prometheus=page
    ), page


def records(path: Path) -> list[LedgerRecord]:
    return [msgspec.json.decode(line, type=LedgerRecord) for line in path.read_bytes().splitlines()]


async def ended(api: Api) -> None:
    """Wait until no trial is under way."""
    assert api.service.trials
    while api.service.trials.under_way:  # noqa: ASYNC110 - nothing sets an event
        await asyncio.sleep(0.01)
