"""A query is judged in several readings: the strictest counts, and nothing leaves that was not judged."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sluicegate.agents.deciding.decider import Decider
from sluicegate.agents.deciding.decision import Decision
from sluicegate.agents.deciding.ledger_record import Stamp, make_ledger_record, outcome_of
from sluicegate.agents.settings import load_settings
from sluicegate.models.inference.judge import EncodedQuery, ModelResult
from sluicegate.models.text.speller import Correction
from sluicegate.schemas.events import LedgerRecord, Position, StageLatencies, Suggestion
from tests.support.word_judge import WordJudge

WORDS = {"bomb": {"illicit": 0.9}, "rude": {"harassment": 0.9}, "dubious": {"illicit": 0.1}}
REWRITES = {"red shoos": "red shoes", "a rood word": "a rude word", "slow shoos": "fail shoes"}
CORRECTIONS = {
    "blu shoes": Correction("blue shoes"),
    "booking a bom": Correction("booking a bomb"),
    "chep bot": Correction("chep bot", suggestions=(Suggestion(text="cheap boat", probability=0.4),)),
    "a bmb": Correction("a bmb", suggestions=(Suggestion(text="a bomb", probability=0.4),)),
}


class RewritingJudge(WordJudge):
    """A model that rewrites some queries, corrects others before it judges them, and misses a word among twenty."""

    def encode(self, text: str, locale: str | None = None, *, correct: bool = True) -> EncodedQuery:
        return replace(super().encode(text, locale), correction=CORRECTIONS.get(text) if correct else None)

    def _judged(self, query: EncodedQuery, result: ModelResult) -> ModelResult:
        lexical = query.correction.text if query.correction else REWRITES.get(query.text, query.text)
        read = replace(query, text="") if len(query.text.split()) > 20 else query
        return replace(super()._judged(read, result), lexical=lexical, semantic=lexical)


Deciders = Callable[..., AbstractAsyncContextManager[Decider[None]]]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> RewritingJudge:
    return RewritingJudge(tmp_path_factory.mktemp("models") / "words", WORDS)


@pytest.fixture
def deciders(judge: RewritingJudge) -> Deciders:
    @asynccontextmanager
    async def running(**settings: object) -> AsyncIterator[Decider[None]]:
        async with Decider[None].running(judge, load_settings(**settings)) as decider:
            yield decider

    judge.judged.clear()
    return running


PADDED = " ".join(["i"] * 25 + ["a bomb"] + ["o"] * 25)


@pytest.mark.parametrize(
    ("query", "verdict", "codes"),
    [
        ("red shoes", "allow", []),
        ("a bomb", "block", []),
        ("b0mb", "block", ["disguised", "reading:skeleton"]),
        ("a bömb", "block", ["reading:skeleton"]),
        ("b o m b", "block", ["disguised", "reading:skeleton"]),
        ("bomb 😀", "block", []),
        ("crème brûlée", "allow", []),
        ("c0ffee", "allow", ["disguised"]),
        ("blu shoes", "allow", []),
        ("booking a bom", "block", ["reading:correction"]),
        ("red shoos", "allow", []),
        ("a rood word", "review", ["reading:rewrite", "rewrite_unsafe"]),
    ],
)
async def test_the_strictest_reading_decides_and_is_named(
    deciders: Deciders, query: str, verdict: str, codes: list[str]
) -> None:
    async with deciders() as decider:
        decision = await decider.decide(query, None)
    assert decision.model_result.policy_result.verdict == verdict
    named = ("disguised", "mixed_script", "reading", "rewrite_unsafe")
    assert [code for code in decision.reason_codes if code.startswith(named)] == codes
    assert decision.text == query


async def test_letters_that_are_parted_are_judged_as_the_words_that_they_spell_and_published_as_typed(
    deciders: Deciders, judge: RewritingJudge
) -> None:
    async with deciders() as decider:
        safe, unsafe = [await decider.decide(query, None) for query in ("c h e a p s h o e s", "r.e.d b.o.m.b")]
    assert judge.judged == ["cheap shoes", "red bomb"]
    assert (safe.model_result.policy_result.verdict, safe.model_result.lexical) == ("allow", "c h e a p s h o e s")
    assert unsafe.model_result.policy_result.verdict == "block"
    assert "reading:skeleton" in unsafe.reason_codes
    assert [reading.name for reading in unsafe.readings] == ["skeleton"]


async def test_padding_by_fifty_words_does_not_help(deciders: Deciders, judge: RewritingJudge) -> None:
    async with deciders() as decider:
        decision = await decider.decide(PADDED, None)
    assert decision.model_result.policy_result.verdict == "block"
    assert "reading:window" in decision.reason_codes
    assert 5 < len(judge.judged) <= 11


async def test_the_tokens_of_all_readings_are_counted_and_each_verdict_is_in_the_ledger(deciders: Deciders) -> None:
    async with deciders() as decider:
        decision = await decider.decide("how to b0mb", None)
        record = _ledger(decider, decision)
    query, skeleton = decision.readings
    assert decision.tokens.input == query.result.input_tokens + skeleton.result.input_tokens
    assert record.tokens == decision.tokens
    assert record.prompt_hash == query.result.prompt_hash != skeleton.result.prompt_hash
    assert record.decision
    assert [(each.name, each.verdict) for each in record.decision.readings] == [
        ("query", "allow"),
        ("skeleton", "block"),
    ]


@pytest.mark.parametrize("query", ["red shoes", "RED shoes", "red shoes size 7", "t-shirt 5'10\""])
async def test_an_ordinary_query_is_judged_once(deciders: Deciders, judge: RewritingJudge, query: str) -> None:
    async with deciders() as decider:
        await decider.decide(query, None)
    assert len(judge.judged) == 1


async def test_a_rewrite_that_is_not_allowed_leaves_nothing_behind(deciders: Deciders) -> None:
    async with deciders() as decider:
        refused = await decider.decide("a rood word", None)
        published = await decider.decide("red shoos", None)
    assert (refused.model_result.lexical, refused.model_result.semantic) == ("a rood word", "a rood word")
    assert published.model_result.lexical == "red shoes"


async def test_a_rewrite_that_the_model_cannot_judge_is_not_published(deciders: Deciders) -> None:
    async with deciders() as decider:
        decision = await decider.decide("slow shoos", None)
    assert (decision.degraded, decision.model_result.lexical) == (None, "slow shoos")
    assert "rewrite_unjudged" in decision.reason_codes


@pytest.mark.parametrize(
    ("query", "fail", "verdict", "degraded"),
    [
        ("fáil shoes", "closed", "review", "EngineFailed"),
        ("fáil shoes", "open", "allow", "EngineFailed"),
        ("fáil bomb", "closed", "block", None),
        ("fáil bomb", "open", "block", None),
        ("fáil rude", "open", "review", None),
        ("fail bömb", "closed", "review", "EngineFailed"),
    ],
)
async def test_a_reading_that_fails_counts_as_the_policy_decides(
    deciders: Deciders, query: str, fail: str, verdict: str, degraded: str | None
) -> None:
    async with deciders(fail=fail, batch_size=1) as decider:
        decision = await decider.decide(query, None)
    assert (decision.model_result.policy_result.verdict, decision.degraded) == (verdict, degraded)


async def test_a_suggestion_is_offered_only_if_it_is_allowed(deciders: Deciders) -> None:
    async with deciders() as decider:
        safe, unsafe = [await decider.decide(query, None) for query in ("chep bot", "a bmb")]
    assert [suggestion.text for suggestion in safe.suggestions] == ["cheap boat"]
    assert unsafe.suggestions == ()
    assert unsafe.model_result.policy_result.verdict == "allow"


def _ledger(decider: Decider[None], decision: Decision) -> LedgerRecord:
    return make_ledger_record(
        Stamp("e1", datetime.now(UTC), "m@1", "p1"),
        source=Position(topic="queries.raw", partition=0, offset=0),
        outcome=outcome_of(decision),
        trace_id="0" * 32,
        latency_ms=StageLatencies(total=1.0),
        decision=decision,
        policy=decider.engine.policy,
        with_text=False,
        input_hash=None,
    )
