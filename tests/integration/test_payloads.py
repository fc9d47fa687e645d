"""A real worker reads payloads as producers' own libraries write them, and names what it cannot read."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import orjson
from cloudevents.core.bindings.kafka import KafkaMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from tests.support.brokers import Broker, TopicMaker
from tests.support.command import rows, sluice
from tests.support.kafka_client import Record
from tests.support.replays import on_one_kind, replay, replays
from tests.support.worker_process import make_stream, original, run_worker

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TIME = datetime(2026, 11, 26, 15, 17, 41, tzinfo=UTC)
AVRO = b"\x00\x00\x00\x00\x07\x12red shoes"


def cloud_event(number: int) -> CloudEvent:
    attributes = {
        "id": f"ce-{number}",
        "type": "search",
        "source": "/web",
        "time": TIME,
        "datacontenttype": "application/json",
        "traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01",
    }
    return CloudEvent(attributes, {"query": f"red shoes size {number}"})


def record_of(message: KafkaMessage) -> Record:
    return None, message.value, list(message.headers.items())


def plain(event_id: str) -> bytes:
    return orjson.dumps({"query": "blue shoes", "event_id": event_id})


@on_one_kind
def test_every_format_that_can_be_read_is_decided_and_another_is_named_in_its_dead_letter(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics, partitions=1)
    stream.produce(
        [
            record_of(to_binary_event(cloud_event(0))),
            record_of(to_structured_event(cloud_event(1))),
            (None, gzip.compress(plain("gzip")), []),
            (None, plain("utf-16").decode().encode("utf-16"), []),
            (None, b"\x00\x00\x00\x00\x07" + plain("wire-format"), []),
            (None, AVRO, [("content-type", b"application/vnd.confluent.avro")]),
        ]
    )
    with run_worker(stream, tmp_path) as worker:
        stream.await_commits()
        worker.stop()

    recall = {output.event_id: output for output in stream.outputs() if output.name == "recall"}
    assert set(recall) == {"ce-0", "ce-1", "gzip", "utf-16", "wire-format"}
    for event_id in ("ce-0", "ce-1"):
        assert recall[event_id].trace_id == TRACE_ID
        assert recall[event_id].event["event_time"] == "2026-11-26T15:17:41Z"
    [letter] = [output for output in stream.outputs() if output.name == "deadletter"]
    assert original(letter.event["value"]) == AVRO
    assert letter.event["error"].startswith("Confluent wire format, schema id 7, but no JSON in it")

    tailed = sluice("tail", "raw", "--until-now", environment=stream.environment)
    assert [line["value"] for line in rows(tailed)][2:4] == [orjson.loads(plain(name)) for name in ("gzip", "utf-16")]

    replay(stream, "ledger", "--event-id", "ce-0")
    [again] = replays(stream)
    assert again.value() == to_binary_event(cloud_event(0)).value
    with run_worker(stream, tmp_path, replay_key="correct-horse-battery") as worker:
        stream.await_commits()
        worker.stop()
    assert [output.event_id for output in stream.outputs() if output.name == "recall"].count("ce-0") == 2


@on_one_kind
def test_with_input_format_json_an_envelope_is_a_dead_letter_that_names_it(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics, partitions=1)
    wire_format = b"\x00\x00\x00\x00\x07" + plain("wire-format")
    stream.produce([(None, wire_format, []), (None, plain("plain"), [])])
    with run_worker(stream, tmp_path, input_format="json") as worker:
        stream.await_commits()
        worker.stop()
    outputs = {output.name: output for output in stream.outputs()}
    assert outputs["recall"].event_id == "plain"
    letter = outputs["deadletter"]
    assert (letter.event_id, original(letter.event["value"])) == ("wire-format", wire_format)
    assert letter.event["error"].startswith("Confluent wire format, schema id 7: set SLUICE_INPUT_FORMAT=auto")
