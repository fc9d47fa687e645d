"""A query decided by the lists and thresholds of a policy file, with the model's probabilities."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from sluicegate.agents.deciding.decider import Decider
from sluicegate.agents.settings import load_settings
from sluicegate.models.inference.policy import Verdict
from sluicegate.models.policy.compiled import CompiledPolicy
from sluicegate.models.policy.policy_file import read_policy
from tests.support.word_judge import WordJudge

WORDS = {"bomb": {"illicit": 0.9}, "gay": {"hate": 0.9}, "toy": {"violence": 0.1}}
POLICY = """
name = "shop"
[surface.kids.thresholds]
violence = { allow = 0.05, block = 0.08 }
[list.banned]
action = "block"
category = "spam"
terms = ["casino bonus"]
[list.doubtful]
action = "review"
category = "spam"
terms = ["voucher"]
[list.pride]
action = "allow"
terms = ["gay pride"]
"""

Deciders = Callable[..., AbstractAsyncContextManager[Decider[None]]]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> WordJudge:
    return WordJudge(tmp_path_factory.mktemp("models") / "words", WORDS)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return path


@pytest.fixture
def deciders(judge: WordJudge, policy: Path) -> Deciders:
    @asynccontextmanager
    async def running(**settings: object) -> AsyncIterator[Decider[None]]:
        async with Decider[None].running(judge, load_settings(policy=policy, **settings)) as decider:
            yield decider

    judge.judged.clear()
    return running


@pytest.mark.parametrize(
    ("query", "surface", "verdict", "reason"),
    [
        ("red shoes", None, "allow", "below_every_threshold"),
        ("Casino-Bönus for you", None, "block", "list:banned"),
        ("a voucher", None, "review", "list:doubtful"),
        ("a voucher bomb", None, "block", "block_threshold:illicit"),
        ("gay pride", None, "allow", "list:pride"),
        ("gay pride flag", None, "allow", "below_every_threshold"),
        ("gay pride how to make a bomb", None, "block", "block_threshold:illicit"),
        ("gay", None, "block", "block_threshold:hate"),
        ("a toy", None, "allow", "below_every_threshold"),
        ("a toy", "web", "allow", "below_every_threshold"),
        ("a toy", "kids", "block", "block_threshold:violence"),
    ],
)
async def test_the_strictest_of_lists_and_thresholds_decides(
    deciders: Deciders, policy: Path, query: str, surface: str | None, verdict: str, reason: str
) -> None:
    async with deciders() as decider:
        decision = await decider.decide(query, None, surface=surface)
    policy_result = decision.model_result.policy_result
    assert (policy_result.verdict, policy_result.reason) == (verdict, reason)
    assert reason in decision.reason_codes
    assert decision.policy_version == read_policy(policy).version


async def test_only_a_query_with_an_allowed_phrase_costs_a_second_call(deciders: Deciders, judge: WordJudge) -> None:
    async with deciders() as decider:
        await decider.decide("red shoes", None)
        decision = await decider.decide("gay pride flag", None)
        await decider.decide("gay pride", None)
    assert judge.judged == ["red shoes", "gay pride flag", "flag", "gay pride"]
    assert "list:pride" in decision.reason_codes
    assert decision.model_result.lexical == "gay pride flag"


async def test_a_shop_for_children_is_stricter_for_the_same_answer_of_the_cache(deciders: Deciders) -> None:
    async with deciders() as decider:
        everyone = await decider.decide("a toy", None)
        kids = await decider.decide("a toy", None, surface="kids")
    assert (everyone.answered_by, kids.answered_by) == ("model", "cache")
    assert [decision.model_result.policy_result.verdict for decision in (everyone, kids)] == ["allow", "block"]
    assert kids.thresholds
    assert kids.thresholds.thresholds != everyone.thresholds.thresholds if everyone.thresholds else False


@pytest.mark.parametrize(
    ("query", "fail", "verdict", "reason"),
    [
        ("fail casino bonus", "open", "block", "list:banned"),
        ("fail voucher", "open", "review", "list:doubtful"),
        ("fail shoes", "open", "allow", "fail_open"),
        ("fail voucher", "closed", "review", "list:doubtful"),
        ("gay pride fail", "closed", "review", "fail_closed"),
    ],
)
async def test_lists_that_block_and_review_hold_while_the_model_fails(
    deciders: Deciders, query: str, fail: str, verdict: str, reason: str
) -> None:
    async with deciders(fail=fail) as decider:
        decision = await decider.decide(query, None)
    policy_result = decision.model_result.policy_result
    assert (policy_result.verdict, policy_result.reason) == (verdict, reason)
    assert decision.degraded == "EngineFailed"


async def test_a_listed_term_beyond_the_models_limit_still_blocks(deciders: Deciders) -> None:
    async with deciders(max_query_tokens=8) as decider:
        decision = await decider.decide("red shoes and socks and hats and a casino bonus", None)
    assert decision.model_result.policy_result.reason == "list:banned"


async def test_a_decision_can_be_made_by_another_policy_than_the_one_in_use(deciders: Deciders) -> None:
    async with deciders() as decider:
        without = await decider.decide("casino bonus", None, policy=CompiledPolicy())
    assert without.model_result.policy_result.verdict is Verdict.ALLOW
    assert without.policy_version == decider.engine.policy.version
