"""`sluice review appeal` on a real broker: what it publishes for people, and what it says when it cannot."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import orjson
from confluent_kafka import Message
from typer.testing import CliRunner, Result

from sluicegate.agents.cli.app import app
from sluicegate.schemas.codec import encode
from sluicegate.schemas.errors import RequestRefused
from sluicegate.schemas.events import Appeal, Blocked, Context, Position, Review
from tests.support.kafka_client import Record, produce_all
from tests.support.replays import headers_of, on_one_kind, position_of
from tests.support.worker_process import Stream

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
TRACE = ("traceparent", b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01")

pytestmark = on_one_kind


def block(stream: Stream, source: Message | Position | None, event_id: str, **changes: Any) -> Position:
    """Publish the blocked event of the raw record at `source`, and return where it is."""
    fields: dict[str, Any] = {
        "event_id": event_id,
        "event_time": NOON,
        "processing_time": NOON,
        "model_version": "test@1",
        "prompt_version": "encoder-1",
        "policy_version": "shop@1",
        "category": "violence",
        "probability": 0.97,
        "reason": "block_threshold:violence",
        "reason_codes": ["block_threshold:violence"],
        "context": Context(user_id="u-1"),
        "source": source if source is None or isinstance(source, Position) else position_of(source),
    }
    record: Record = (b"key", encode(Blocked(**{**fields, **changes})), [TRACE])
    produce_all(stream.bootstrap_servers, stream.topics["blocked"], [record])
    at = [each for each in read(stream, "blocked") if orjson.loads(each.value() or b"")["event_id"] == event_id]
    return position_of(at[0])


def read(stream: Stream, name: str) -> list[Message]:
    return replace(stream, input=name).inputs()


def appeal(stream: Stream, *arguments: str) -> Result:
    """Run the command in this process: a new one takes seconds to start."""
    environment = {**stream.environment, "COLUMNS": "200"}
    return CliRunner().invoke(app, ["review", "appeal", "--as", "anna", *arguments], env=environment)


def test_an_appeal_is_a_review_event_that_names_the_blocked_one_and_has_the_text_of_the_raw_record(
    stream: Stream,
) -> None:
    stream.produce([(None, orjson.dumps({"query": "kill <b>bill</b>\u200b", "event_id": "order-1"}), [])])
    block(stream, Position(topic=stream.topics["raw"], partition=0, offset=0), "order-10")
    blocked = block(stream, stream.inputs()[0], "order-1")
    done = appeal(stream, "order-1", "--reason", "the title of a film")
    assert (done.exit_code, done.stderr) == (0, "")
    (message,) = read(stream, "review")
    assert done.stdout.startswith(f"the appeal for order-1 is published ({position_of(message)}): people decide it")
    assert done.stdout.endswith("sluice review list\n")
    assert (message.key(), headers_of(message)) == (b"key", [TRACE])
    review = msgspec.json.decode(message.value() or b"", type=Review)
    assert (review.event_id, review.query, review.lexical) == ("order-1", "kill bill", "kill bill")
    assert (review.category, review.reason, review.context.user_id) == ("violence", "block_threshold:violence", "u-1")
    assert review.source == position_of(stream.inputs()[0])
    assert review.appeal == Appeal(blocked=blocked, gate="model", appellant="anna", rationale="the title of a film")


def test_an_event_without_an_id_of_its_own_is_appealed_for_by_the_position_of_its_record(stream: Stream) -> None:
    stream.produce([(None, b'{"query": "kill bill"}', [])])
    source = position_of(stream.inputs()[0])
    block(stream, source, str(source), gate="reviewer")
    done = appeal(stream, str(source), "--reason", "a film", "--json")
    assert orjson.loads(done.stdout)["event_id"] == str(source)
    (message,) = read(stream, "review")
    review = msgspec.json.decode(message.value() or b"", type=Review)
    assert review.appeal
    assert (review.event_id, review.appeal.gate) == (str(source), "reviewer")


def test_what_cannot_be_appealed_for_says_why_and_publishes_nothing(stream: Stream) -> None:
    stream.produce([(None, b'{"query": "other", "event_id": "other"}', []), (None, b'{"event_id": "order-4"}', [])])
    other, broken = sorted(stream.inputs(), key=lambda each: b"order-4" in (each.value() or b""))
    block(stream, other, "order-1")
    block(stream, None, "order-2")
    block(stream, Position(topic=stream.topics["raw"], partition=0, offset=999), "order-3")
    block(stream, broken, "order-4")
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for arguments, said in (
        (["order-9"], "has no event with this id: only a blocked query can be appealed for"),
        (["order-1"], "is no longer in Kafka"),  # another record is where its own was
        (["order-2"], "does not say where the raw record is"),
        (["order-3"], "is no longer in Kafka"),
        (["order-4"], "has no query that can be reviewed"),
        (["order-1", "--since", later], "has no event with this id"),
    ):
        refused = appeal(stream, *arguments, "--reason", "-").exception
        assert isinstance(refused, RequestRefused)
        assert said in str(refused)
    assert read(stream, "review") == []
