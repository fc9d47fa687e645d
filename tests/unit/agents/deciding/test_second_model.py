"""The second model decides what the screen is unsure of, and never holds up what the screen decides alone."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sluicegate.agents.deciding import live_models as live_models_module
from sluicegate.agents.deciding import second_model as second_model_module
from sluicegate.agents.deciding.decision import Decision
from sluicegate.agents.deciding.live_models import LiveModels, load_models
from sluicegate.agents.settings import load_settings
from sluicegate.models.artifacts.manifest import PromptStyleName
from sluicegate.models.artifacts.registry import Registry
from sluicegate.models.inference.cascade import AskedFor
from sluicegate.models.inference.judge import EncodedQuery, ModelResult
from sluicegate.models.inference.labels import Category
from sluicegate.models.inference.policy import Verdict
from sluicegate.models.policy.compiled import CompiledPolicy
from sluicegate.models.policy.policy_file import read_policy
from sluicegate.schemas.errors import CompiledModelError, EngineFailed
from tests.support.compiled import compiled_tiny, compiled_twins
from tests.support.two_models import SURE, UNSURE, SecondJudge, both_serving
from tests.support.word_judge import WordJudge

SCREEN = {"knife": UNSURE, "poison": UNSURE, "gun": UNSURE, "forge": SURE, "pipe": SURE}
SECOND = {"poison": {"allow": 0.01, "violence": 0.99}, "gun": UNSURE, "forge": SURE}
POLICY = """
name = "shop"
[second.thresholds]
illicit = { allow = 0.2, block = 0.3 }
[surface.kids.thresholds]
illicit = { allow = 0.001, block = 0.002 }
[list.banned]
action = "block"
category = "spam"
terms = ["casino knife"]
[list.doubtful]
action = "review"
category = "spam"
terms = ["voucher knife"]
[list.brands]
action = "allow"
terms = ["poison perfume"]
"""


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> tuple[WordJudge, SecondJudge]:
    folder = tmp_path_factory.mktemp("models")
    return WordJudge(folder / "screen", SCREEN), SecondJudge(folder / "second", SECOND)


@pytest.fixture
def screen(judges: tuple[WordJudge, SecondJudge]) -> WordJudge:
    judges[0].judged.clear()
    return judges[0]


@pytest.fixture
def second(judges: tuple[WordJudge, SecondJudge]) -> Iterator[SecondJudge]:
    judges[1].judged.clear()
    yield judges[1]
    judges[1].error = None
    judges[1].going_on.set()


@pytest.fixture
def policy(tmp_path: Path) -> CompiledPolicy:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return CompiledPolicy(read_policy(path))


def said(decision: Decision) -> Verdict:
    return decision.model_result.policy_result.verdict


async def ask(live_models: LiveModels[None], query: str, **options: Any) -> Decision:
    return await live_models.choose(query).decide(query, None, **options)


@pytest.mark.parametrize(
    ("query", "verdict", "reason", "code"),
    [
        ("red shoes", "allow", "below_every_threshold", None),
        ("chef knife", "allow", "below_every_threshold", "second:allow"),
        ("rat poison", "block", "block_threshold:violence", "second:block"),
        ("toy gun", "review", "review_threshold:illicit", "second:review"),
        ("forge a passport", "block", "block_threshold:illicit", None),
    ],
)
async def test_the_second_model_is_asked_about_a_review_and_its_verdict_counts(
    screen: WordJudge, second: SecondJudge, query: str, verdict: str, reason: str, code: str | None
) -> None:
    async with both_serving(screen, second) as live_models:
        decision = await ask(live_models, query)
    assert (said(decision), decision.model_result.policy_result.reason) == (verdict, reason)
    assert second.judged == ([query] if code else [])
    assert [each for each in decision.reason_codes if each.startswith("second:")] == ([code] if code else [])


async def test_the_screens_answers_stand_and_the_opinion_says_which_model_said_what(
    screen: WordJudge, second: SecondJudge
) -> None:
    async with both_serving(screen, second) as live_models:
        decision = await ask(live_models, "chef knife")
    opinion = decision.second
    assert opinion
    assert opinion.result
    assert decision.second_decided
    assert (opinion.asked_for, opinion.outcome, opinion.error) == (AskedFor.REVIEW, "answered", None)
    assert opinion.screened.reason == "review_threshold:illicit"
    assert opinion.model_version == second.manifest.model_version
    assert decision.model_result.probabilities["illicit"] == 0.4
    assert opinion.result.probabilities["allow"] == decision.allow_probability == 1.0
    assert opinion.tokens.input > 0
    assert decision.answered_ns >= opinion.ended_ns


async def test_a_block_that_needs_both_models_is_reviewed_unless_both_block(
    screen: WordJudge, second: SecondJudge
) -> None:
    async with both_serving(screen, second, second_confirms="illicit, spam") as live_models:
        forged, pipe = await ask(live_models, "forge a passport"), await ask(live_models, "pipe")
    assert said(forged) is Verdict.BLOCK
    assert (said(pipe), pipe.model_result.policy_result.reason) == (Verdict.REVIEW, "block_unconfirmed")
    assert pipe.model_result.policy_result.category is Category.ILLICIT


async def test_a_block_of_a_disguise_that_reads_otherwise_as_it_was_typed_needs_both(
    screen: WordJudge, second: SecondJudge
) -> None:
    async with both_serving(screen, second) as live_models:
        pipe, forged = await ask(live_models, "p1pe parts"), await ask(live_models, "f0rge parts")
    assert [reading.name for reading in pipe.readings] == ["query", "skeleton"]
    assert (said(pipe), said(forged)) == (Verdict.REVIEW, Verdict.BLOCK)
    assert second.judged == ["pipe parts", "forge parts"]  # not what the screen allowed


async def test_lists_are_never_overruled_and_the_second_model_has_thresholds_of_its_own(
    screen: WordJudge, second: SecondJudge, policy: CompiledPolicy
) -> None:
    async with both_serving(screen, second) as live_models:
        decisions = {
            query: await ask(live_models, query, policy=policy)
            for query in ("casino knife", "voucher knife", "poison perfume", "toy gun", "rat poison")
        }
        kids = await ask(live_models, "chef knife", policy=policy, surface="kids")
    reasons = {query: decision.model_result.policy_result.reason for query, decision in decisions.items()}
    assert reasons == {
        "casino knife": "list:banned",
        "voucher knife": "list:doubtful",
        "poison perfume": "list:brands",
        "toy gun": "block_threshold:illicit",  # 0.4 is reviewed by the screen and blocked from 0.3 on by the second
        "rat poison": "block_threshold:violence",
    }
    assert second.judged == ["toy gun", "rat poison"]
    assert said(kids) is Verdict.BLOCK  # a surface is as strict for both
    assert {decision.policy_version for decision in decisions.values()} == {policy.file.version if policy.file else ""}
    assert decisions["toy gun"].second
    assert decisions["toy gun"].second.policy_version == decisions["toy gun"].policy_version


async def test_a_second_model_that_may_not_block_leaves_the_review(screen: WordJudge, second: SecondJudge) -> None:
    async with both_serving(screen, second, second_may_block=False) as live_models:
        decision = await ask(live_models, "rat poison")
    assert (said(decision), decision.model_result.policy_result.reason) == ("review", "review_threshold:illicit")
    assert "second:block" in decision.reason_codes


async def test_a_sample_is_recorded_and_changes_nothing(screen: WordJudge, second: SecondJudge) -> None:
    async with both_serving(screen, second) as live_models:
        alone, sample = [await ask(live_models, "pipe", trial=trial) for trial in (None, "sample")]
    assert alone.second is None
    assert sample.second
    assert (sample.second.asked_for, sample.second.verdict) == (AskedFor.SAMPLE, Verdict.ALLOW)
    assert sample.model_result == alone.model_result
    assert not sample.second_decided


@pytest.mark.parametrize("error", [EngineFailed("broken"), MemoryError(), RuntimeError("quotes chef knife")])
async def test_when_the_second_model_fails_the_screens_verdict_stands(
    screen: WordJudge, second: SecondJudge, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    second.error = error
    async with both_serving(screen, second, fail="open", second_confirms="illicit") as live_models:
        review, block = await ask(live_models, "chef knife"), await ask(live_models, "pipe")
    assert (said(review), said(block)) == (Verdict.REVIEW, Verdict.BLOCK)
    for decision in (review, block):
        assert "second:failed" in decision.reason_codes
        assert decision.degraded is None
        assert decision.second
        assert decision.second.error == "EngineFailed"
    assert sum("deciding without the second model" in line for line in caplog.messages) == 1
    assert "chef knife" not in caplog.text


async def test_when_the_second_model_is_late_the_screens_verdict_stands(screen: WordJudge, second: SecondJudge) -> None:
    second.going_on.clear()
    async with both_serving(screen, second, second_deadline_ms=600) as live_models:
        own = await ask(live_models, "chef knife")
        events = await ask(live_models, "hunting knife", deadline_ms=500)
        second.going_on.set()
    for decision in (own, events):
        assert said(decision) is Verdict.REVIEW
        assert "second:overloaded" in decision.reason_codes
        assert decision.second
        assert decision.second.error == "DeadlineExceeded"


async def test_events_beyond_the_places_are_not_asked_about_and_do_not_wait(
    screen: WordJudge, second: SecondJudge
) -> None:
    second.going_on.clear()
    async with both_serving(screen, second, second_queue_size=3, second_deadline_ms=5_000) as live_models:
        waiting = [asyncio.create_task(ask(live_models, f"knife {number}")) for number in range(3)]
        assert live_models.second
        await until(lambda: live_models.second is not None and live_models.second.waiting == 3)
        refused = await ask(live_models, "one more knife")
        assert not any(task.done() for task in waiting)
        second.going_on.set()
        answered = await asyncio.gather(*waiting)
    assert "second:overloaded" in refused.reason_codes
    assert refused.second
    assert refused.second.error == "Overloaded"
    assert {said(decision) for decision in answered} == {Verdict.ALLOW}


async def test_equal_queries_that_wait_for_the_second_model_take_a_place_each(
    screen: WordJudge, second: SecondJudge
) -> None:
    second.going_on.clear()
    async with both_serving(screen, second, second_queue_size=2, second_deadline_ms=5_000) as live_models:
        tasks = [asyncio.create_task(ask(live_models, "chef knife")) for _ in range(5)]
        await until(lambda: sum(task.done() for task in tasks) == 3)
        second.going_on.set()
        decisions = await asyncio.gather(*tasks)
    assert sorted(map(said, decisions)) == ["allow", "allow", "review", "review", "review"]
    assert second.judged == ["chef knife"]


async def test_while_the_second_model_hangs_the_screen_decides_as_fast_as_before(
    screen: WordJudge, second: SecondJudge
) -> None:
    second.going_on.clear()
    async with both_serving(screen, second, second_deadline_ms=5_000, queue_size=4) as live_models:
        waiting = [asyncio.create_task(ask(live_models, f"knife {number}")) for number in range(20)]
        async with asyncio.timeout(3):
            decisions = [await ask(live_models, f"red shoes {number}") for number in range(20)]
        assert not any(task.done() for task in waiting)
        second.going_on.set()
        await asyncio.gather(*waiting)
    assert {said(decision) for decision in decisions} == {Verdict.ALLOW}


async def test_a_second_model_that_hangs_is_soon_asked_by_one_event_at_a_time(
    screen: WordJudge, second: SecondJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_model_module, "_OPEN_S", 0.2)
    second.going_on.clear()
    async with both_serving(screen, second, second_deadline_ms=100) as live_models:
        assert live_models.problems() == []
        await asyncio.gather(*(ask(live_models, f"knife {number}") for number in range(12)))
        assert "does not answer" in live_models.problems()[0]
        assert live_models.warnings() == []  # the worker stays ready
        began = time.monotonic()
        skipped = await ask(live_models, "next knife")
        assert time.monotonic() - began < 0.1
        assert skipped.second
        assert skipped.second.error == "CircuitOpen"
        assert "second:failed" in skipped.reason_codes
        second.going_on.set()

        async def answered() -> bool:
            return said(await ask(live_models, "last knife")) is Verdict.ALLOW

        await until_true(answered)
        assert live_models.problems() == []


async def test_producers_with_short_deadlines_do_not_switch_the_second_model_off(
    screen: WordJudge, second: SecondJudge
) -> None:
    second.going_on.clear()
    async with both_serving(screen, second) as live_models:
        late = await asyncio.gather(*(ask(live_models, f"knife {number}", deadline_ms=500) for number in range(30)))
        second.going_on.set()
        assert {each.second.error for each in late if each.second} == {"DeadlineExceeded"}
        assert said(await ask(live_models, "chef knife")) is Verdict.ALLOW


def test_a_second_model_that_cannot_be_loaded_is_named_by_its_setting(tmp_path: Path) -> None:
    settings = load_settings(second_model=tmp_path / "nowhere")
    with pytest.raises(CompiledModelError, match=r"^SLUICE_SECOND_MODEL: .*nowhere"):
        load_models(settings)


async def test_a_second_model_that_is_slow_but_answers_is_asked_on(
    screen: WordJudge, second: SecondJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = second.judge

    def answers_one_batch_in_time(batch: Sequence[EncodedQuery]) -> list[ModelResult]:
        if not second.judged:
            time.sleep(0.05)
            second.going_on.clear()
            return WordJudge.judge(second, batch)
        return judge(batch)

    monkeypatch.setattr(second, "judge", answers_one_batch_in_time)
    async with both_serving(screen, second, second_deadline_ms=300, second_batch_size=1) as live_models:
        late = await asyncio.gather(*(ask(live_models, f"knife {number}") for number in range(30)))
        second.going_on.set()
        assert sum(each.second.error == "DeadlineExceeded" for each in late if each.second) == 29
        assert said(await ask(live_models, "chef knife")) is Verdict.ALLOW


async def test_a_text_that_the_second_model_cannot_read_whole_is_not_allowed_by_it(
    screen: WordJudge, second: SecondJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = second.encode
    monkeypatch.setattr(
        second, "encode", lambda *args, **given: encode(*args, **given).__class__("chef", ("chef",), truncated=True)
    )
    async with both_serving(screen, second) as live_models:
        decision = await ask(live_models, "chef knife")
    assert said(decision) is Verdict.REVIEW
    assert "second:failed" in decision.reason_codes


async def test_a_screen_that_fails_is_not_rescued_by_the_second_model(screen: WordJudge, second: SecondJudge) -> None:
    async with both_serving(screen, second) as live_models:
        decision = await ask(live_models, "fail to decide")
    assert (decision.degraded, decision.second) == ("EngineFailed", None)
    assert second.judged == []


async def test_the_second_model_is_exchanged_under_load_and_every_answer_comes_from_one_of_its_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_models_module, "_LOOK_EVERY_S", 0.1)
    first, other = compiled_twins(tmp_path)
    registry = Registry(tmp_path / "registry")
    before = registry.use(str(first))
    review_all = {category: {"allow": 0.0, "block": 1.1} for category in Category}
    settings = load_settings(model=first, second_model=registry.folder, thresholds=review_all, second_queue_size=1000)
    async with LiveModels[None].running(load_models(settings), settings) as live_models:
        after = await asyncio.to_thread(registry.use, str(other))
        versions: list[str] = []
        while after not in versions:
            decisions = await asyncio.gather(*(ask(live_models, f"query {len(versions)} {n}") for n in range(8)))
            opinions = [decision.second for decision in decisions if decision.second]
            assert [opinion.outcome for opinion in opinions] == ["answered"] * 8
            versions += [opinion.model_version for opinion in opinions]
        assert set(versions) == {before, after}


@pytest.mark.parametrize("style", ["adapted", "zero_shot"])
async def test_a_generator_that_is_asked_second_writes_no_answer(tmp_path: Path, style: PromptStyleName) -> None:
    review_all = {category: {"allow": 0.0, "block": 1.1} for category in Category}
    allow_all = {category: {"allow": 1.0, "block": 1.1} for category in Category}
    settings = load_settings(
        model=compiled_tiny(tmp_path / "screen", "embedded"),
        second_model=compiled_tiny(tmp_path / "second", style),
        thresholds=review_all,
        second_thresholds=allow_all,
        second_deadline_ms=10_000,
    )
    async with LiveModels[None].running(load_models(settings), settings) as live_models:
        decision = await ask(live_models, "red shoes")
    assert decision.second
    assert decision.second.outcome == "answered"
    assert decision.second.tokens.output <= len(decision.second.readings)


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def until_true(happened: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await happened():  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.05)
