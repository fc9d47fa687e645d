import json
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from sluicegate.agents.local.otlp_receiver import OtlpReceiver, ReceivedPoint, ReceivedSpan
from tests.support.brokers import Broker, TopicMaker
from tests.support.kafka_client import Record
from tests.support.worker_process import make_stream, run_worker, wait_for

TRACE_ID, PRODUCER_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{PRODUCER_SPAN}-01".encode()
STAGES = ["normalise", "queue", "model", "validate", "publish"]


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


def test_one_trace_leads_from_the_producer_through_every_stage_to_the_consumer(
    broker: Broker, topics: TopicMaker, tmp_path: Path, receiver: OtlpReceiver
) -> None:
    stream = make_stream(broker, topics)
    query = orjson.dumps({"query": "red running shoes", "event_id": "traced"})
    untraced: list[Record] = [(None, orjson.dumps({"query": f"{n} shoes"}), []) for n in range(10)]
    stream.produce([(None, query, [("traceparent", TRACEPARENT)]), *untraced, (None, b"broken", [])])

    with run_worker(stream, tmp_path, otlp_endpoint=receiver.endpoint) as worker:
        stream.await_commits()
        worker.stop()  # which sends what is left

    spans = {span.name.split(" ")[0]: span for span in receiver.spans(TRACE_ID)}
    process = spans.pop("process")
    assert (process.parent_id, process.kind, process.failed) == (PRODUCER_SPAN, "consumer", False)
    assert sorted(spans) == sorted(STAGES)
    for span in spans.values():
        assert span.parent_id == process.span_id
        assert process.start_ns <= span.start_ns <= span.end_ns <= process.end_ns
    starts = [spans[stage].start_ns for stage in STAGES]
    assert starts == sorted(starts)
    assert [batch.name for batch in batches_with(receiver, process)] == ["sluicegate.batch"]

    outputs = [output for output in stream.outputs() if output.event_id == "traced"]
    parents = {output.name: (output.headers["traceparent"] or b"").decode().split("-")[2] for output in outputs}
    assert parents.pop("ledger") == process.span_id
    assert set(parents.values()) == {spans["publish"].span_id}

    assert sum(point.value for point in latest(receiver, "sluicegate.verdicts")) == 11
    assert sum(point.value for point in latest(receiver, "sluicegate.deadletters")) == 1
    assert sum(point.count or 0 for point in latest(receiver, "messaging.process.duration")) == 12
    failed = [span for span in receiver.spans() if span.failed]
    assert {span.attributes["error.type"] for span in failed} == {"ContractError"}


def test_outputs_repeat_the_producers_headers_that_the_setting_names_and_its_whole_trace_state(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics)
    headers = [
        ("Traceparent", TRACEPARENT),
        ("tracestate", b"a=1"),
        ("tracestate", b"b=2"),
        ("Baggage", b"tenant=7"),
        ("x-request-id", b"r1"),
        ("secret", b"s"),
    ]
    stream.produce([(None, b'{"query": "red running shoes"}', headers), (None, b"broken", headers)])

    with run_worker(stream, tmp_path, pass_headers="baggage,x-*,replay_of"):
        stream.await_commits()

    outputs = stream.outputs()
    assert {output.name for output in outputs} >= {"recall", "ranking", "deadletter", "ledger"}
    for output in outputs:
        assert (output.headers["Baggage"], output.headers["x-request-id"]) == (b"tenant=7", b"r1")
        assert (output.trace_id, output.headers["tracestate"]) == (TRACE_ID, b"a=1,b=2")
        assert set(output.headers) == {"traceparent", "tracestate", "Baggage", "x-request-id"}


def test_a_worker_exports_whether_it_is_ready_and_its_lag(
    broker: Broker, topics: TopicMaker, tmp_path: Path, receiver: OtlpReceiver
) -> None:
    stream = make_stream(broker, topics)
    stream.produce([(None, orjson.dumps({"query": f"{n} shoes"}), []) for n in range(20)])

    def exported(name: str) -> list[float]:
        return [point.value for point in latest(receiver, name)]

    with run_worker(stream, tmp_path, otlp_endpoint=receiver.endpoint):
        stream.await_commits()
        wait_for(lambda: exported("sluicegate.ready") == [1], 60, "the worker did not export that it is ready")
        wait_for(lambda: set(exported("sluicegate.consumer.lag")) == {0}, 60, "the lag did not become 0")
        assert exported("sluicegate.commit.late") == [0]
    attributes = [point.attributes for point in latest(receiver, "sluicegate.consumer.lag")]
    assert {each["messaging.destination.name"] for each in attributes} == {stream.topics["raw"]}


def test_the_log_is_json_and_names_the_trace_of_an_event_without_an_outcome(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics, configs={"deadletter": {"max.message.bytes": "100"}})
    stream.produce([(None, b"broken {secret words}", [("traceparent", TRACEPARENT)])])

    with run_worker(stream, tmp_path) as worker:
        assert worker.exit_code(20) != 0

    lines = [json.loads(line) for line in worker.log.splitlines()]
    assert [line["level"] for line in lines if line.get("trace_id") == TRACE_ID] == ["CRITICAL"]
    assert "secret" not in worker.log


def batches_with(receiver: OtlpReceiver, member: ReceivedSpan) -> list[ReceivedSpan]:
    return [span for span in receiver.spans() if (member.trace_id, member.span_id) in span.links]


def latest(receiver: OtlpReceiver, name: str) -> list[ReceivedPoint]:
    """The last point of each series of a metric; each export repeats the running totals."""
    return list({tuple(sorted(point.attributes.items())): point for point in receiver.points(name)}.values())
