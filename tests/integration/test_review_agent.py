"""The review agent as a process: a real broker, a real HTTP API that does what it should not, and what follows."""

from pathlib import Path
from typing import Any

import pytest

from sluicegate.agents.local.otlp_receiver import OtlpReceiver
from sluicegate.agents.review_queue import PersonsDecision, ReviewQueue
from sluicegate.agents.settings import load_settings
from tests.chaos import reviews
from tests.support.accounts import assert_contracts_hold
from tests.support.brokers import Broker, TopicMaker
from tests.support.chat_server import ChatServer, error
from tests.support.command import sluice
from tests.support.review_stream import (
    GATE_SPAN,
    TRACE_ID,
    api_of,
    by_words,
    named,
    produce_reviews,
    review_records,
)
from tests.support.worker_process import make_stream, original, run_worker, wait_for

QUICK: dict[str, Any] = {"review_api_read_timeout_ms": 400, "review_api_attempts": 1, "review_deadline_ms": 2000}


def test_what_a_reviewer_allows_goes_on_and_what_it_denies_is_blocked_in_one_trace(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics).of_review_agent()
    with ChatServer(by_words) as server, OtlpReceiver() as receiver:
        produce_reviews(stream, ["allow me", "deny me"])
        stream.produce([(b"k", b'{"event_id": "odd"}', [])])
        with run_worker(stream, tmp_path, otlp_endpoint=receiver.endpoint, **api_of(server)) as worker:
            stream.await_commits()
            assert worker.readiness()[0] == 200
            worker.stop()
        spans = receiver.spans(TRACE_ID)
        process = next(span for span in spans if span.name.startswith("process") and span.parent_id == GATE_SPAN)
        children = {span.name for span in spans if span.parent_id == process.span_id}
        assert children == {"review", "publish"}

    outputs = stream.outputs()
    assert_contracts_hold(outputs)
    allowed, denied = named(outputs, "event-0"), named(outputs, "event-1")
    assert set(allowed) == {"reviewed", "recall", "ranking", "ledger"}
    assert set(denied) == {"reviewed", "blocked", "ledger"}
    for event in (*allowed.values(), *denied.values()):
        assert event["model_version"] == "test@1"
    assert {output.trace_id for output in outputs if output.event_id != "odd"} == {TRACE_ID}
    assert allowed["recall"]["context"]["user_id"] == "u-1"
    assert allowed["recall"]["reason_codes"][-1] == "reviewer_allowed"
    assert (denied["blocked"]["gate"], denied["blocked"]["category"]) == ("reviewer", "violence")
    reviewed, ledger = allowed["reviewed"], allowed["ledger"]
    assert (reviewed["reviewer"], reviewed["rationale"]) == ("api:big", "because")
    assert reviewed["reviewer_prompt_version"] == "review-1"
    assert reviewed["reviewer_prompt_hash"] == ledger["review"]["prompt_hash"]
    assert ledger["tokens"] == {"input": 100, "output": 20}
    assert ledger["review"]["cost"] == pytest.approx(120 / 1e6)
    assert (ledger["outcome"], ledger["source"]["topic"]) == ("allowed", stream.topics["review"])
    assert "because" not in str(ledger)
    assert "allow me" not in str(ledger) + worker.log

    [letter] = [output.event for output in outputs if output.name == "deadletter"]
    assert (letter["error_type"], letter["event_id"]) == ("ContractError", "odd")
    assert original(letter["value"]) == b'{"event_id": "odd"}'


@pytest.mark.parametrize(
    ("fallback", "allowed", "reviewer"),
    [("gate", {"event-1"}, "policy:gate"), ("block", set(), "policy:block")],
)
def test_where_no_reviewer_answers_the_policy_decides_and_says_so(
    broker: Broker, topics: TopicMaker, tmp_path: Path, fallback: str, allowed: set[str], reviewer: str
) -> None:
    stream = make_stream(broker, topics).of_review_agent()
    words = ["label", "label", "contradiction", "words", "fenced", "garbage", "half", "hang", "drip", "busy", "refuse"]
    with ChatServer(by_words) as server:
        records = review_records(words, probabilities={"allow": 0.49, "illicit": 0.5})
        [_, records[1], *_] = review_records(words, probabilities={"allow": 0.5, "illicit": 0.5})
        stream.produce(records)
        settings = {**api_of(server), **QUICK, "review_fallback": fallback}
        with run_worker(stream, tmp_path, **settings) as worker:
            stream.await_commits()
            worker.stop()

    outputs = stream.outputs()
    assert_contracts_hold(outputs)
    reviewed = {output.event_id: output.event for output in outputs if output.name == "reviewed"}
    assert len(reviewed) == len(words)
    assert {event["reviewer"] for event in reviewed.values()} == {reviewer}
    assert {event["fallback"] for event in reviewed.values()} == {fallback}
    assert {event_id for event_id, event in reviewed.items() if event["allow"]} == allowed
    reasons = {
        output.event_id: output.event["review"]["unanswered"][0]["reason"]
        for output in outputs
        if output.name == "ledger"
    }
    expected = ["unknown_label", "unknown_label", "contradiction", "unreadable", "unreadable", "unreadable"]
    expected += ["broken_off", "timed_out", "timed_out", "busy", "refused"]
    assert [reasons[f"event-{number}"] for number in range(len(words))] == expected


def test_a_held_event_is_asked_again_survives_a_restart_and_is_decided_once_the_reviewer_is_back(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics, partitions=1).of_review_agent()
    with ChatServer(by_words) as server:
        settings = {**api_of(server), **QUICK, "session_timeout_ms": 6000}
        with run_worker(stream, tmp_path, **settings) as worker:
            wait_for(lambda: worker.readiness()[0] == 200, 60, "it is not ready")
            server.script = lambda body, number: error(500)
            asked = len(server.requests)
            produce_reviews(stream, ["allow me", "deny me"])
            wait_for(lambda: len(server.requests) > asked + 3, 30, "it is not asked again")
            worker.stop()  # releases what it holds
        assert not named(stream.outputs(), "event-0")
        server.script = by_words
        with run_worker(stream, tmp_path, **settings) as worker:
            stream.await_commits()
            worker.stop()
    outputs = stream.outputs()
    assert named(outputs, "event-0")["ledger"]["outcome"] == "allowed"
    assert named(outputs, "event-1")["ledger"]["outcome"] == "blocked"


def test_what_was_held_for_too_long_is_blocked(broker: Broker, topics: TopicMaker, tmp_path: Path) -> None:
    stream = make_stream(broker, topics).of_review_agent()
    with ChatServer(by_words) as server:
        produce_reviews(stream, ["label 1"])
        settings = {**api_of(server), **QUICK, "review_hold_rounds": 3}
        with run_worker(stream, tmp_path, **settings) as worker:
            stream.await_commits()
            worker.stop()
    events = named(stream.outputs(), "event-0")
    assert (events["reviewed"]["fallback"], events["ledger"]["review"]["rounds"]) == ("hold", 3)
    assert events["blocked"]["reason"] == "review_fallback:hold"


def test_reviews_that_the_policy_had_to_decide_are_replayed_and_decided_by_the_reviewer(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics).of_review_agent()
    with ChatServer(by_words) as server:
        produce_reviews(stream, ["allow me", "busy", "busy"])
        settings = {**api_of(server), **QUICK, "review_fallback": "block"}
        with run_worker(stream, tmp_path, **settings) as worker:
            stream.await_commits()
            server.script = lambda body, number: by_words({"messages": [{"content": "<query>allow</query>"}]}, 0)
            finished = sluice("replay", "ledger", "--reason", "busy", environment=stream.environment)
            assert finished.returncode == 0, finished.stderr
            stream.await_commits()
            worker.stop()
    outputs = stream.outputs()
    decided = [(output.event_id, output.event["allow"]) for output in outputs if output.name == "reviewed"]
    assert sorted(decided) == [
        *(("event-0", True), ("event-1", False), ("event-1", True), ("event-2", False), ("event-2", True))
    ]
    replayed = [output for output in outputs if output.name == "recall" and output.event_id != "event-0"]
    assert all("replay_of" in output.headers for output in replayed)


@pytest.mark.parametrize("canary", ["wait", "refuse"])
def test_a_reviewer_that_fails_its_canary_decides_nothing(
    broker: Broker, topics: TopicMaker, tmp_path: Path, canary: str
) -> None:
    stream = make_stream(broker, topics).of_review_agent()
    produce_reviews(stream, ["deny me"])
    with ChatServer(lambda body, number: by_words({"messages": [{"content": "<query>allow</query>"}]}, 0)) as server:
        settings = {**api_of(server), **QUICK, "review_canary": canary}
        if canary == "refuse":
            with (
                pytest.raises(AssertionError, match="ended with 78"),
                run_worker(stream, tmp_path, **settings),
            ):
                pass
            return
        with run_worker(stream, tmp_path, **settings) as worker:
            wait_for(lambda: "canary" in worker.readiness()[1], 30, "it does not say why")
            assert worker.readiness()[0] == 503
            assert not named(stream.outputs(), "event-0")
            server.script = by_words
            stream.await_commits()
            worker.stop()
    assert named(stream.outputs(), "event-0")["ledger"]["outcome"] == "blocked"


def test_what_people_decide_is_published_later_by_the_worker(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics).of_review_agent()
    queue = tmp_path / "reviews.db"
    produce_reviews(stream, ["red shoes"])
    with run_worker(stream, tmp_path, reviewers="people", review_queue=queue) as worker:
        stream.await_commits()
        [waiting] = [output.event for output in stream.outputs()]
        assert (waiting["outcome"], waiting["review"]["reviewer"]) == ("review", None)
        with ReviewQueue.open(load_settings(review_queue=queue)) as opened:
            leased = opened.lease_next("anna")
            assert leased
            opened.decide(leased.id, "anna", PersonsDecision(allow=True, rationale="shoes"))
        wait_for(lambda: "ranking" in named(stream.outputs(), "event-0"), 30, "the decision is not published")
        worker.stop()
    events = named(stream.outputs(), "event-0")
    assert (events["reviewed"]["reviewer"], events["reviewed"]["rationale"]) == ("people:anna", "shoes")
    assert {output.trace_id for output in stream.outputs()} == {TRACE_ID}


def test_events_through_faults_of_workers_and_api_are_all_decided_as_the_policy_says(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    if broker.kind == "embedded":
        pytest.skip("it keeps the partitions of a worker that was killed")
    stream = make_stream(broker, topics).of_review_agent()
    assert reviews.run(stream, tmp_path, count=300, budget=1.0, kill=True) == []
