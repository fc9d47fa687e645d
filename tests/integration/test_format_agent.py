"""The format agent on a real broker: JSON that follows its schema, or a dead letter that says why."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from typer.testing import CliRunner

from sluicegate.agents.cli.app import app
from sluicegate.agents.local.otlp_receiver import OtlpReceiver
from tests.support.accounts import assert_accounted_for, assert_contracts_hold, expected_event_id
from tests.support.brokers import Broker, TopicMaker
from tests.support.kafka_client import Record
from tests.support.worker_process import Stream, make_stream, original, run_worker, wait_for

TRACE_ID, PRODUCER_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{PRODUCER_SPAN}-01".encode()
ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {"quantity": {"type": "integer"}, "colour": {"enum": ["red", "blue", "green"]}},
    "required": ["quantity", "colour"],
}
COUNT = 1500
SESSION_MS = 6_000


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    """A folder with two versions of the schema `order`."""
    folder = tmp_path / "schemas" / "order"
    folder.mkdir(parents=True)
    (folder / "1.json").write_bytes(orjson.dumps({**ORDER, "properties": {**ORDER["properties"], "old": {}}}))
    (folder / "2.json").write_bytes(orjson.dumps(ORDER))
    return folder.parent


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


def action(text: str = "three red ones, please", headers: Any = (), **fields: Any) -> Record:
    schema = {} if "schema" in fields else {"schema_id": "order"}
    return None, orjson.dumps({"text": text, **schema, **fields}), [*headers]


def test_every_action_becomes_json_that_follows_its_schema_or_a_dead_letter_that_says_why(
    broker: Broker, topics: TopicMaker, tmp_path: Path, schemas: Path, receiver: OtlpReceiver
) -> None:
    stream = make_stream(broker, topics).of_format_agent()
    headers = [("traceparent", TRACEPARENT), ("x-tenant", b"north")]
    stream.produce(
        [
            action(event_id="by-name", user_id="u-1", locale=7, headers=headers),
            action(event_id="old", schema_version="1"),
            action(event_id="inline", schema={**ORDER, "x-guidance": {"whitespace_flexible": True}}),
            action(event_id="refused", schema={"type": "object", "properties": {"a": {"not": {}}}}),
            action(event_id="unknown", schema_id="booking"),
            action("nothing of use", event_id="not-there"),
            action(event_id="late", deadline_ms=1, schema={**ORDER, "title": "another"}),
            (b"key", b"\xff broken", [("h", b"\x00")]),
            (None, None, []),
        ]
    )
    settings = {"format_schemas": schemas, "otlp_endpoint": receiver.endpoint, "pass_headers": "x-tenant"}
    with run_worker(stream, tmp_path, **settings) as worker:
        stream.await_commits()
        worker.stop()
        assert "red ones" not in worker.log

    inputs, outputs = stream.inputs(), stream.outputs()
    assert_accounted_for(inputs, outputs)
    assert_contracts_hold(outputs)
    events = {(output.name, output.event_id): output for output in outputs}
    for event_id, version in (("by-name", "2"), ("old", "1"), ("inline", None)):
        formatted = events["actions_formatted", event_id].event
        assert jsonschema_rs.is_valid(ORDER, formatted["value"])
        assert formatted["value"] == {"quantity": 3, "colour": "red"}
        assert formatted["json_schema"]["version"] == version
        places = {source["pointer"]: (source["start"], source["end"]) for source in formatted["grounding"]}
        assert places == {"/quantity": (0, 5), "/colour": (6, 9)}
        assert events["ledger", event_id].event["outcome"] == "formatted"
    by_name = events["actions_formatted", "by-name"]
    assert by_name.event["context"]["user_id"] == "u-1"
    assert by_name.event["reason_codes"] == ["dropped:locale"]

    letters = {output.event_id: output.event for output in outputs if output.name == "deadletter"}
    assert (letters["refused"]["error_path"], letters["refused"]["error_keyword"]) == ("/properties/a", "not")
    assert (letters["not-there"]["error_type"], letters["not-there"]["error_path"]) == ("FormatFailed", "/quantity")
    assert letters["late"]["error_type"] == "DeadlineExceeded"
    assert letters["unknown"]["error"] == "there is no schema 'booking'; there is order"
    [broken] = [letter for letter in letters.values() if original(letter["value"]) == b"\xff broken"]
    assert (broken["error_type"], original(broken["key"])) == ("ContractError", b"key")
    assert len(letters) == 6

    spans = {span.name.split(" ")[0]: span for span in receiver.spans(TRACE_ID)}
    process = spans.pop("process")
    assert (process.parent_id, process.kind) == (PRODUCER_SPAN, "consumer")
    assert sorted(spans) == ["model", "publish", "queue", "validate"]
    assert {span.parent_id for span in spans.values()} == {process.span_id}
    assert by_name.trace_id == TRACE_ID
    assert by_name.headers["x-tenant"] == b"north"


def test_actions_that_are_redelivered_after_a_kill_have_the_same_id_and_the_same_output(
    broker: Broker, topics: TopicMaker, tmp_path: Path, schemas: Path
) -> None:
    if broker.kind == "embedded":
        pytest.skip("the embedded broker never removes a dead member from its group")
    rng = random.Random(7)
    stream = make_stream(broker, topics).of_format_agent()
    stream.produce(
        [action(f"{rng.randrange(2, 99)} {rng.choice(['red', 'blue'])} ones, order {n}") for n in range(COUNT)]
    )
    with run_worker(stream, tmp_path, format_schemas=schemas, session_timeout_ms=SESSION_MS) as worker:
        wait_for(lambda: stream.ledger_count() > 300, 60, "the worker does not work")
        worker.kill()
    with run_worker(stream, tmp_path, format_schemas=schemas, session_timeout_ms=SESSION_MS) as worker:
        stream.await_commits()
        worker.stop()

    inputs, outputs = stream.inputs(), stream.outputs()
    assert_accounted_for(inputs, outputs, once=False)
    values: dict[str, list[bytes]] = {}
    for output in outputs:
        if output.name == "actions_formatted":
            values.setdefault(output.event_id, []).append(orjson.dumps(output.event["value"]))
    assert set(values) == set(map(expected_event_id, inputs))
    assert any(len(same) > 1 for same in values.values()), "nothing was redelivered: the kill showed nothing"
    assert all(len(set(same)) == 1 for same in values.values())


def test_a_dead_letter_is_replayed_to_the_topic_of_actions_once_its_schema_is_there(
    broker: Broker, topics: TopicMaker, tmp_path: Path, schemas: Path
) -> None:
    gate_stream = make_stream(broker, topics, partitions=1)
    stream = gate_stream.of_format_agent()
    stream.produce([action("two blue ones", event_id="early", schema_id="later")])
    with run_worker(stream, tmp_path, format_schemas=schemas) as worker:
        wait_for(lambda: stream.ledger_count() == 1, 60, "no outcome")
        (schemas / "later.json").write_bytes(orjson.dumps(ORDER))
        wait_for(lambda: "formatting by 3 schemas" in worker.log, 30, "the new schema is not noticed")
        replayed = replay(stream, "deadletters", "--reason", "SchemaUnknown")
        assert "1 of 1 replayed" in replayed
        wait_for(lambda: stream.ledger_count() == 2, 60, "the replay has no outcome")
        worker.stop()
    formatted = [output for output in stream.outputs() if output.name == "actions_formatted"]
    assert [(output.event_id, output.event["value"]) for output in formatted] == [
        ("early", {"quantity": 2, "colour": "blue"})
    ]
    assert formatted[0].headers["replay_of"] == f"{stream.topics['actions_raw']}-0-0".encode()
    assert gate_stream.inputs() == []


def replay(stream: Stream, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["replay", *arguments], env=stream.environment)
    assert result.exit_code == 0, result.output
    return result.output
