"""The review agent with people: what waits survives kill -9, what they decide is published, and appeals reach them."""

from dataclasses import replace
from pathlib import Path

import httpx
import msgspec
import orjson
from typer.testing import CliRunner

from sluicegate.agents.cli.app import app
from sluicegate.agents.http.keys import add_key
from sluicegate.agents.review_queue import PersonsDecision, ReviewQueue
from sluicegate.models.finetuning.reviewed import rows_of
from sluicegate.schemas.codec import encode
from sluicegate.schemas.events import Blocked, Reviewed
from tests.support.accounts import assert_contracts_hold
from tests.support.kafka_client import produce_all
from tests.support.replays import on_one_kind, position_of
from tests.support.review_stream import TRACE_ID, TRACEPARENT, named, produce_reviews
from tests.support.reviews import NOON, make_review
from tests.support.worker_process import Stream, run_worker, wait_for

pytestmark = on_one_kind


def test_what_people_decide_is_published_once_although_the_worker_is_killed(stream: Stream, tmp_path: Path) -> None:
    stream, file, keys = stream.of_review_agent(), tmp_path / "queue", tmp_path / "keys"
    key = add_key(keys, "anna")
    settings = {"reviewers": "people", "review_queue": file, "http_api": True, "http_keys": keys}
    produce_reviews(stream, ["kill bill", "you are a loser", "one more"])
    with run_worker(stream, tmp_path, **settings) as worker:
        stream.await_commits()  # what waits is acknowledged, because it is on disk
        worker.kill()
    assert {output.name for output in stream.outputs()} == {"ledger"}
    with ReviewQueue(file, lease_s=60, max_events=9, retention_s=60) as queue:
        waiting = [each.review.event_id for each in queue.waiting(9)]
        assert sorted(waiting) == ["event-0", "event-1", "event-2"]
        decided = queue.lease_next("ben")
        assert decided
        queue.decide(decided.id, "ben", PersonsDecision(allow=True, rationale="a film"))
        allowed_id = decided.review.event_id

    with run_worker(stream, tmp_path, **settings) as worker:
        headers = {"x-api-key": key}
        with httpx.Client(base_url=f"http://127.0.0.1:{worker.http_port}", headers=headers, verify=False) as client:
            taken = client.post("/v1/reviews/next", json={}).raise_for_status().json()["review"]
            decision = {"allow": False, "rationale": "an insult", "category": "hate"}
            client.post(f"/v1/reviews/{taken['id']}/decision", json=decision).raise_for_status()

            def published() -> bool:
                return bool(client.get("/v1/reviews").json()["statistics"]["unpublished"] == 0)

            wait_for(published, 30, "what was decided is not published")
            metrics = client.get("/metrics").text
        # One that is stopped while it waits for the killed member's place ends without closing the queue.
        wait_for(lambda: "joined the group" in worker.log, 60, "the worker has not joined the group")
        worker.stop()

    outputs = stream.outputs()
    assert_contracts_hold(outputs)
    allowed, blocked = named(outputs, allowed_id), named(outputs, taken["review"]["event_id"])
    assert set(allowed) == {"reviewed", "recall", "ranking", "ledger"}
    assert (allowed["reviewed"]["reviewer"], allowed["reviewed"]["rationale"]) == ("people:ben", "a film")
    assert set(blocked) == {"reviewed", "blocked", "ledger"}
    assert (blocked["blocked"]["gate"], blocked["blocked"]["category"]) == ("reviewer", "hate")
    assert blocked["reviewed"]["reviewer"] == "people:anna"
    assert len([output for output in outputs if output.name == "reviewed"]) == 2
    assert {output.trace_id for output in outputs} == {TRACE_ID}
    for result in ("overturned", "upheld"):
        assert f'sluicegate_result="{result}"' in metrics
    assert b"a film" not in file.read_bytes()


def test_an_allowed_appeal_goes_on_to_recall_and_is_learnt(stream: Stream, tmp_path: Path) -> None:
    stream.produce([(b"key", orjson.dumps({"query": "kill bill", "event_id": "order-1"}), [])])
    review = make_review("order-1", "kill bill")
    event = Blocked(
        event_id="order-1",
        event_time=NOON,
        processing_time=NOON,
        model_version="test@1",
        prompt_version="p",
        category="violence",
        probability=0.97,
        reason="block_threshold:violence",
        reason_codes=["block_threshold:violence"],
        context=review.context,
        source=position_of(stream.inputs()[0]),
    )
    record = (b"key", encode(event), [("traceparent", TRACEPARENT)])
    produce_all(stream.bootstrap_servers, stream.topics["blocked"], [record])
    (blocked,) = replace(stream, input="blocked").inputs()
    appeal = ["review", "appeal", "order-1", "--reason", "a film", "--as", "shop"]
    assert CliRunner().invoke(app, appeal, env=stream.environment).exit_code == 0

    stream, file = stream.of_review_agent(), tmp_path / "queue"
    with run_worker(stream, tmp_path, reviewers="people", review_queue=file) as worker:
        stream.await_commits()
        with ReviewQueue(file, lease_s=60, max_events=9, retention_s=60) as queue:
            taken = queue.lease_next("anna")
            assert taken
            assert taken.review.appeal
            queue.decide(taken.id, "anna", PersonsDecision(allow=True, rationale="it is a film"))
            wait_for(lambda: not queue.statistics().unpublished, 30, "what was decided is not published")
        assert CliRunner().invoke(app, appeal, env=stream.environment).exit_code == 0
        stream.await_commits()
        worker.stop()

    at = position_of(blocked)
    outputs = [output for output in stream.outputs() if output.at != (at.topic, at.partition, at.offset)]
    assert_contracts_hold(outputs)
    found = named(outputs, "order-1")
    assert set(found) == {"reviewed", "recall", "ranking", "ledger"}
    outcomes = [output.event["outcome"] for output in outputs if output.name == "ledger"]
    assert sorted(outcomes) == ["allowed", "review"], "a second appeal hides the decision"
    assert (found["recall"]["query"], found["reviewed"]["query"]) == ("kill bill", "kill bill")
    assert found["reviewed"]["blocked"] == {"topic": at.topic, "partition": at.partition, "offset": at.offset}
    (reviewed,) = [output.value for output in outputs if output.name == "reviewed"]
    (row,) = rows_of([msgspec.json.decode(reviewed, type=Reviewed)])
    assert (row.text, row.label, row.source) == ("kill bill", "allow", "reviewer:people:anna")
    assert {output.trace_id for output in outputs} == {TRACE_ID}
