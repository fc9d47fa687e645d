"""Which events a decision becomes, and what each of them carries."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson
import pytest

from sluicegate.agents.deciding.decision import Decision
from sluicegate.agents.deciding.ledger_record import Stamp, make_ledger_record, outcome_of
from sluicegate.agents.deciding.micro_batcher import Batched
from sluicegate.agents.gate.outcomes import make_events
from sluicegate.agents.kafka.record import Record
from sluicegate.models.inference.judge import ModelResult
from sluicegate.models.inference.labels import Category, Intent
from sluicegate.models.inference.policy import DEFAULT_THRESHOLDS, Policy, PolicyResult, Verdict
from sluicegate.schemas.codec import encode, value_hash
from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import OutputEvent, Position, RawQuery, StageLatencies, Suggestion
from sluicegate.schemas.reason_codes import EncodingCode, NormaliseCode, PolicyCode, RecordCode, RewriteCode

EVENT_TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)
STAMP = Stamp("event-1", EVENT_TIME, "m@1", "p1")
RAW = RawQuery(query="Chep Red Shoes", user_id="u", session_id="s", locale="en", surface="web")
CONTEXT = {"user_id": "u", "session_id": "s", "locale": "en", "surface": "web"}
RECORD = Record(
    "queries.raw", 3, 17, EVENT_TIME, b"key", b'{"query": "Chep Red Shoes"}', [("twice", b"\xff"), ("twice", None)]
)
WHY = PolicyCode.BELOW_EVERY_THRESHOLD
POLICY = Policy(DEFAULT_THRESHOLDS)
CODES = ["replay_unproven", "whitespace_folded", "below_every_threshold", "truncated_tokens", "rewritten"]


def decision(verdict: Verdict, **changes: Any) -> Decision:
    category = None if verdict is Verdict.ALLOW else Category.HATE
    model_result = ModelResult(
        PolicyResult(verdict, category, 0.75, WHY),
        lexical="cheap red shoes",
        semantic="cheap red shoes sneakers",
        codes=(RewriteCode.REWRITTEN,),
        probabilities={"allow": 0.75, "hate": 0.25},
        intent=Intent.OTHER,
        synonyms=("sneakers",),
        facets=("colour:red",),
        prompt_hash="a" * 64,
        output_hash="b" * 64,
        input_tokens=11,
        output_tokens=3,
    )
    batched = Batched(model_result, 1, 1, 2, 3)
    made = Decision(
        text="chep red shoes",
        input_codes=(RecordCode.REPLAY_UNPROVEN,),
        normalisation=(NormaliseCode.WHITESPACE_FOLDED,),
        encoding=(EncodingCode.TRUNCATED_TOKENS,),
        model_result=model_result,
        answered_by="model",
        degraded=None,
        batched=batched,
        normalise_started_ns=0,
        normalise_ended_ns=1,
        batches=(batched,),
        suggestions=(Suggestion(text="cheap read shoes", probability=0.4),),
    )
    return msgspec.structs.replace(made, **changes)


def published(verdict: Verdict) -> dict[str, dict[str, Any]]:
    """The events by topic, as they are encoded: each keeps its contract."""
    _, events = make_events(RAW, decision(verdict), STAMP, RECORD.position)
    return {topic: orjson.loads(encode(event)) for topic, event in events}


def test_what_is_likely_but_not_certain_is_offered_to_recall_alone() -> None:
    assert published(Verdict.ALLOW)["recall"]["suggestions"] == [{"text": "cheap read shoes", "probability": 0.4}]
    assert "suggestions" not in published(Verdict.ALLOW)["ranking"]
    assert "suggestions" not in published(Verdict.REVIEW)["review"]


@pytest.mark.parametrize(
    ("verdict", "outcome", "topics"),
    [
        (Verdict.ALLOW, "allowed", ["recall", "ranking"]),
        (Verdict.BLOCK, "blocked", ["blocked"]),
        (Verdict.REVIEW, "review", ["review"]),
    ],
)
def test_each_verdict_has_its_outcome_and_topics(verdict: Verdict, outcome: str, topics: list[str]) -> None:
    name, events = make_events(RAW, decision(verdict), STAMP, RECORD.position)
    assert (name, outcome_of(decision(verdict))) == (outcome, outcome)
    assert [topic for topic, _ in events] == topics


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_output_has_the_stamp_the_codes_and_the_context(verdict: Verdict) -> None:
    before = datetime.now(UTC)
    for event in published(verdict).values():
        assert (event["event_id"], event["model_version"], event["prompt_version"]) == ("event-1", "m@1", "p1")
        assert datetime.fromisoformat(event["event_time"]) == EVENT_TIME
        assert before <= datetime.fromisoformat(event["processing_time"]) <= datetime.now(UTC)
        assert event["reason_codes"] == CODES
        assert event["context"] == CONTEXT


@pytest.mark.parametrize(("verdict", "topic"), [(Verdict.ALLOW, "recall"), (Verdict.REVIEW, "review")])
def test_a_query_that_is_not_blocked_is_passed_on_as_it_was_understood(verdict: Verdict, topic: str) -> None:
    event = published(verdict)[topic]
    assert (event["query"], event["lexical"], event["semantic"]) == (
        "chep red shoes",
        "cheap red shoes",
        "cheap red shoes sneakers",
    )
    assert (event["intent"], event["synonyms"], event["facets"]) == ("other", ["sneakers"], ["colour:red"])
    assert event["degraded"] is False


def test_a_blocked_event_says_why_and_repeats_no_word_of_the_user() -> None:
    event = published(Verdict.BLOCK)["blocked"]
    assert (event["allow"], event["category"], event["probability"], event["reason"]) == (False, "hate", 0.75, WHY)
    assert not {"query", "lexical", "semantic", "synonyms"} & set(event)
    assert b"shoes" not in orjson.dumps(event)


def test_a_review_has_what_the_reviewer_needs() -> None:
    event = published(Verdict.REVIEW)["review"]
    assert (event["category"], event["reason"]) == ("hate", WHY)
    assert event["probabilities"] == {"allow": 0.75, "hate": 0.25}


def test_the_scores_of_a_ranking_are_explained() -> None:
    event = published(Verdict.ALLOW)["ranking"]
    assert event["allow_probability"] == 0.75
    scores = {score["name"]: score["value"] for score in event["scores"]}
    assert scores == {"specificity": 0.5, "fidelity": pytest.approx(0.9655, abs=1e-4), "safety": 0.75}
    assert all(score["reason"] for score in event["scores"])


def test_without_the_model_an_event_is_marked_and_its_ranking_has_no_probability() -> None:
    unasked = ModelResult(
        PolicyResult(Verdict.ALLOW, None, 0, PolicyCode.FAIL_OPEN), "chep red shoes", "chep red shoes"
    )
    degraded = decision(
        Verdict.ALLOW,
        model_result=unasked,
        degraded="EngineFailed",
        batched=None,
        batches=(),
        answered_by="policy",
        encoding=(),
    )
    _, events = make_events(RAW, degraded, STAMP, RECORD.position)
    recall, ranking = (orjson.loads(encode(event)) for _, event in events)
    for event in (recall, ranking):
        assert event["degraded"] is True
        assert event["reason_codes"] == ["replay_unproven", "whitespace_folded", "degraded:EngineFailed", "fail_open"]
    assert ranking["allow_probability"] is None
    assert [score["name"] for score in ranking["scores"]] == ["specificity", "fidelity"]


def ledger(decision_: Decision | None, error: Exception | None = None, **changes: Any) -> dict[str, Any]:
    options: dict[str, Any] = {
        "outcome": "allowed" if decision_ else "deadletter",
        "source": RECORD.position,
        "outputs": [Position(topic="queries.recall", partition=1, offset=5)],
        "trace_id": "0" * 32,
        "latency_ms": StageLatencies(total=1),
        "policy": POLICY,
        "with_text": False,
        "input_hash": value_hash(RECORD.value),
        **changes,
    }
    record: OutputEvent = make_ledger_record(STAMP, decision=decision_, error=error, **options)
    document: dict[str, Any] = orjson.loads(encode(record))
    return document


def test_the_ledger_finds_explains_and_replays_an_event() -> None:
    entry = ledger(decision(Verdict.ALLOW))
    assert entry["source"] == {"topic": "queries.raw", "partition": 3, "offset": 17}
    assert entry["outputs"] == [{"topic": "queries.recall", "partition": 1, "offset": 5}]
    assert entry["input_hash"] == value_hash(RECORD.value)
    assert (entry["prompt_hash"], entry["output_hash"]) == ("a" * 64, "b" * 64)
    assert entry["tokens"] == {"input": 11, "output": 3}
    assert (entry["validation"], entry["shadow"], entry["replay_of"]) == ("valid", False, None)
    trace = entry["decision"]
    assert (trace["verdict"], trace["category"], trace["answered_by"]) == ("allow", None, "model")
    assert trace["reason_codes"] == CODES
    assert trace["normalisation"] == ["whitespace_folded"]
    assert trace["thresholds"]["hate"] == {"allow": 0.25, "block": 0.7}


def test_the_ledger_has_no_text_unless_it_is_allowed() -> None:
    assert b"shoes" not in orjson.dumps(ledger(decision(Verdict.ALLOW)))
    assert ledger(decision(Verdict.ALLOW), with_text=True)["query"] == "chep red shoes"


def test_an_answer_from_the_cache_costs_no_tokens() -> None:
    entry = ledger(decision(Verdict.ALLOW, batched=None, batches=(), answered_by="cache"))
    assert entry["tokens"] == {"input": 0, "output": 0}
    assert entry["prompt_hash"] == "a" * 64


def test_the_ledger_says_what_stopped_a_dead_letter() -> None:
    entry = ledger(None, ContractError("not JSON"))
    assert (entry["outcome"], entry["validation"], entry["decision"]) == ("deadletter", "ContractError: not JSON", None)
    assert len(ledger(None, ContractError("x" * 5000))["validation"]) == 1000


def test_the_ledger_names_the_original_of_a_replay() -> None:
    entry = ledger(decision(Verdict.ALLOW), replay_of="queries.raw-0-7")
    assert entry["replay_of"] == "queries.raw-0-7"
