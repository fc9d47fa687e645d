"""Telemetry through the real exporter over HTTP: the tests look at what a collector receives."""

import gzip
import logging
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sluicegate.agents.local.otlp_receiver import OtlpReceiver, ReceivedPoint, ReceivedSpan
from sluicegate.agents.telemetry import EventSpan, Outcome, Telemetry
from sluicegate.agents.telemetry.trace_context import Headers

PRODUCER_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PRODUCER_SPAN = "00f067aa0ba902b7"
SAMPLED = [("traceparent", f"00-{PRODUCER_TRACE}-{PRODUCER_SPAN}-01".encode())]
UNSAMPLED = [("traceparent", f"00-{PRODUCER_TRACE}-{PRODUCER_SPAN}-00".encode())]


def start(endpoint: str | None, sample_ratio: float = 1.0) -> Telemetry:
    return Telemetry.start(
        otlp_endpoint=endpoint, sample_ratio=sample_ratio, service_version="0.1.0", instance_id="test-1"
    )


@contextmanager
def process(telemetry: Telemetry, headers: Headers, offset: int = 7) -> Iterator[EventSpan]:
    with telemetry.process_span(
        telemetry.extract(headers), topic="queries.raw", partition=3, offset=offset, group="gate", body_size=42
    ) as event:
        yield event


def run_event(telemetry: Telemetry, headers: Headers, outcome: Outcome | None = None) -> list[tuple[str, bytes]]:
    """An event's whole way, as the pipeline reports it; returns the headers of its outputs."""
    now = time.time_ns()
    with process(telemetry, headers) as event:
        telemetry.record_stage(event, "normalise", now, now + 1_000_000)
        telemetry.record_stage(event, "queue", now + 1_000_000, now + 3_000_000)
        telemetry.record_model(event, now + 3_000_000, now + 9_000_000, model="m1", input_tokens=17, output_tokens=5)
        telemetry.record_batch([event], now + 3_000_000, now + 9_000_000, model="m1", input_tokens=17, output_tokens=5)
        telemetry.record_stage(event, "validate", now + 9_000_000, now + 9_500_000)
        with telemetry.publish_span(event, ["queries.recall", "queries.ledger"]) as context:
            outputs = telemetry.inject(context)
        telemetry.record(
            event, outcome or Outcome(event_id="e1", duration_s=0.01, verdict="allow", reason_codes=("clean",))
        )
    return outputs


def by_name(spans: list[ReceivedSpan]) -> dict[str, ReceivedSpan]:
    return {span.name: span for span in spans}


def newest(receiver: OtlpReceiver, name: str) -> ReceivedPoint:
    return receiver.points(name)[-1]


def test_an_event_is_one_trace_from_the_producers_span_through_every_stage() -> None:
    with OtlpReceiver() as receiver:
        telemetry = start(receiver.endpoint)
        run_event(telemetry, SAMPLED)
        telemetry.shutdown(5)
        spans = by_name(receiver.spans(PRODUCER_TRACE))

    assert set(spans) == {"process queries.raw", "normalise", "queue", "model", "validate", "publish"}
    root = spans.pop("process queries.raw")
    assert (root.parent_id, root.kind, root.service) == (PRODUCER_SPAN, "consumer", "sluicegate")
    assert {span.parent_id for span in spans.values()} == {root.span_id}
    assert root.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "queries.raw",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 7,
        "messaging.consumer.group.name": "gate",
        "messaging.message.body.size": 42,
        "sluicegate.event_id": "e1",
        "sluicegate.verdict": "allow",
        "sluicegate.reason_codes": ("clean",),
    }
    assert spans["queue"].end_ns - spans["queue"].start_ns == 2_000_000
    assert spans["model"].attributes["gen_ai.request.model"] == "m1"
    assert spans["model"].attributes["gen_ai.usage.input_tokens"] == 17
    assert spans["publish"].kind == "producer"
    assert spans["publish"].attributes["sluicegate.topics"] == ("queries.recall", "queries.ledger")


def test_outputs_carry_the_publish_span_as_the_parent_of_a_consumers_span() -> None:
    with OtlpReceiver() as receiver:
        telemetry = start(receiver.endpoint)
        outputs = run_event(telemetry, [*SAMPLED, ("tracestate", b"vendor=1")])
        telemetry.shutdown(5)
        publish = by_name(receiver.spans(PRODUCER_TRACE))["publish"]

    assert outputs == [
        ("traceparent", f"00-{PRODUCER_TRACE}-{publish.span_id}-01".encode()),
        ("tracestate", b"vendor=1"),
    ]


def test_a_batch_is_a_trace_of_its_own_with_links_to_its_sampled_members() -> None:
    with OtlpReceiver() as receiver:
        telemetry = start(receiver.endpoint, sample_ratio=0)
        now = time.time_ns()
        with (
            process(telemetry, SAMPLED, 1) as first,
            process(telemetry, UNSAMPLED, 2) as unsampled,
            process(telemetry, SAMPLED, 3) as second,
        ):
            telemetry.record_batch(
                [first, unsampled, second], now, now + 5_000_000, model="m1", input_tokens=51, output_tokens=15
            )
        telemetry.shutdown(5)
        spans = {span.attributes.get("messaging.kafka.offset", "batch"): span for span in receiver.spans()}

    assert set(spans) == {1, 3, "batch"}
    batch = spans["batch"]
    assert (batch.name, batch.parent_id, batch.attributes["sluicegate.batch.size"]) == ("sluicegate.batch", None, 3)
    assert batch.trace_id != PRODUCER_TRACE
    assert batch.links == ((PRODUCER_TRACE, spans[1].span_id), (PRODUCER_TRACE, spans[3].span_id))


@pytest.mark.parametrize(("headers", "ratio"), [([], 0.0), (UNSAMPLED, 1.0)], ids=["begins here", "continues"])
def test_an_unsampled_event_exports_no_span_and_says_so_to_its_consumers(headers: Headers, ratio: float) -> None:
    with OtlpReceiver() as receiver:
        telemetry = start(receiver.endpoint, ratio)
        [(name, traceparent)] = run_event(telemetry, headers)
        telemetry.shutdown(5)
        assert receiver.spans() == []
        assert newest(receiver, "messaging.process.duration").count == 1

    assert name == "traceparent"
    assert int(traceparent[-2:], 16) & 1 == 0
    if headers:
        assert traceparent[3:35].decode() == PRODUCER_TRACE


def test_the_producers_decision_to_sample_outweighs_the_ratio() -> None:
    with OtlpReceiver() as receiver:
        telemetry = start(receiver.endpoint, sample_ratio=0)
        [(_, traceparent)] = run_event(telemetry, SAMPLED)
        telemetry.shutdown(5)
        assert len(receiver.spans(PRODUCER_TRACE)) == 6
    assert traceparent.endswith(b"-01")


@given(
    trace=st.integers(1, 2**128 - 1),
    span=st.integers(1, 2**64 - 1),
    flags=st.integers(0, 255),
    state=st.lists(
        st.from_regex(r"[a-z][a-z0-9]{0,8}=[!-+\--<>-~]{1,9}", fullmatch=True),
        max_size=3,
        unique_by=lambda s: s.split("=")[0],
    ),
)
def test_when_off_the_incoming_context_passes_through_byte_for_byte(
    trace: int, span: int, flags: int, state: list[str]
) -> None:
    incoming = [("traceparent", f"00-{trace:032x}-{span:016x}-{flags:02x}".encode())]
    if state:
        incoming.append(("tracestate", ",".join(state).encode()))
    assert run_event(start(None), incoming) == incoming


def test_when_off_an_event_without_a_trace_gets_a_fresh_unsampled_one() -> None:
    telemetry = start(None)
    [(_, first)] = run_event(telemetry, [])
    with process(telemetry, []) as event:
        [(_, second)] = telemetry.inject(event.context)
        assert second.split(b"-")[1].decode() == event.trace_id
        assert not event.recording
    assert first.endswith(b"-00")
    assert first[3:35] != second[3:35]


broken_parents = st.one_of(
    st.none(),
    st.binary(max_size=80),
    st.sampled_from(
        [
            b"",
            b"ff-" + SAMPLED[0][1][3:],
            SAMPLED[0][1].upper().replace(b"0", b"O"),
            SAMPLED[0][1][:-1],
            SAMPLED[0][1] + b"-extra",
            b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
            b"00-" + PRODUCER_TRACE.encode() + b"-" + b"0" * 16 + b"-01",
            SAMPLED[0][1] * 100,
        ]
    ),
)


@given(parent=broken_parents, state=st.one_of(st.none(), st.binary(max_size=600)))
def test_a_broken_traceparent_is_ignored(parent: bytes | None, state: bytes | None) -> None:
    with process(start(None), [("traceparent", parent), ("tracestate", state)]) as event:
        assert event.trace_id not in (PRODUCER_TRACE, "0" * 32)


@given(state=st.binary(max_size=600))
def test_a_broken_tracestate_does_not_cost_the_trace(state: bytes) -> None:
    with process(start(None), [*SAMPLED, ("tracestate", state)]) as event:
        assert event.trace_id == PRODUCER_TRACE


def test_the_last_of_repeated_headers_counts() -> None:
    with process(start(None), [("traceparent", b"junk"), ("other", None), *SAMPLED]) as event:
        assert event.trace_id == PRODUCER_TRACE


def test_an_escaping_exception_marks_its_spans_with_its_class_and_never_its_message() -> None:
    with OtlpReceiver() as receiver:
        telemetry = start(receiver.endpoint)
        with pytest.raises(ValueError, match="secret query"), process(telemetry, SAMPLED) as event:  # noqa: SIM117
            with telemetry.publish_span(event, ["queries.recall"]):
                raise ValueError("secret query")
        telemetry.shutdown(5)
        spans = receiver.spans()

    assert [(span.failed, span.attributes["error.type"]) for span in spans] == [(True, "ValueError")] * 2
    assert "secret" not in repr(spans)


def test_the_batches_of_a_shadow_are_not_counted_as_the_served_models() -> None:
    with OtlpReceiver() as receiver:
        telemetry = start(receiver.endpoint, sample_ratio=0)
        with process(telemetry, []) as event:
            for model, size, milliseconds in (("served", 1, 4), ("shadow", 3, 400)):
                telemetry.record_batch(
                    [event] * size, 0, milliseconds * 1_000_000, model=model, input_tokens=size, output_tokens=0
                )
        telemetry.shutdown(5)
        sizes, durations, tokens = (
            {point.attributes["gen_ai.request.model"]: point.value for point in receiver.points(name) if point.value}
            for name in ("sluicegate.batch.size", "sluicegate.stage.duration", "gen_ai.client.token.usage")
        )
    assert sizes == tokens == {"served": 1, "shadow": 3}
    assert durations == {"served": pytest.approx(0.004), "shadow": pytest.approx(0.4)}


def test_metrics_arrive_with_their_names_and_units() -> None:
    with OtlpReceiver() as receiver:
        telemetry = start(receiver.endpoint, sample_ratio=0)
        telemetry.observe(queue_depth=lambda: 11, events_in_flight=lambda: 22)
        run_event(
            telemetry,
            [],
            Outcome(event_id="e1", duration_s=0.5, verdict="review", answered_by="policy", degraded="deadline"),
        )
        run_event(telemetry, [], Outcome(event_id="e2", duration_s=0.25, error_type="ContractError"))
        telemetry.shutdown(5)

        stages = {p.attributes["sluicegate.stage"]: p for p in receiver.points("sluicegate.stage.duration")}
        durations = {p.attributes.get("error.type"): p for p in receiver.points("messaging.process.duration")}
        tokens = {p.attributes["gen_ai.token.type"]: p for p in receiver.points("gen_ai.client.token.usage")}
        batch, depth, in_flight, verdicts, dead, answers, degraded = (
            newest(receiver, f"sluicegate.{name}")
            for name in (
                "batch.size",
                "queue.depth",
                "events.in_flight",
                "verdicts",
                "deadletters",
                "answers",
                "degraded",
            )
        )

    assert set(stages) == {"queue", "model", "publish"}
    assert (stages["queue"].unit, stages["queue"].count) == ("s", 2)
    assert stages["queue"].value == pytest.approx(0.004)
    assert {error: (p.unit, p.value) for error, p in durations.items()} == {
        None: ("s", 0.5),
        "ContractError": ("s", 0.25),
    }
    assert (tokens["input"].unit, tokens["input"].value, tokens["output"].value) == ("{token}", 34, 10)
    assert (batch.unit, batch.count, batch.value) == ("{query}", 2, 2)
    assert (depth.unit, depth.value, in_flight.unit, in_flight.value) == ("{query}", 11, "{event}", 22)
    assert verdicts == ReceivedPoint(
        "sluicegate.verdicts", "{event}", {"sluicegate.verdict": "review", "sluicegate.category": "none"}, 1, None
    )
    assert (dead.unit, dead.attributes, dead.value) == ("{event}", {"error.type": "ContractError"}, 1)
    assert (answers.unit, answers.attributes, answers.value) == ("{event}", {"sluicegate.answered_by": "policy"}, 1)
    assert (degraded.unit, degraded.attributes, degraded.value) == ("{event}", {"sluicegate.reason": "deadline"}, 1)


def test_a_collector_that_is_down_harms_no_event_and_does_not_hold_up_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        telemetry = start(f"http://127.0.0.1:{unused.getsockname()[1]}")
        run_event(telemetry, SAMPLED)
        began = time.monotonic()
        with caplog.at_level(logging.WARNING, "sluicegate"):
            telemetry.shutdown(0.5)
        assert time.monotonic() - began < 2
    assert [record.name for record in caplog.records if record.name.startswith("sluicegate")] == [
        "sluicegate.agents.telemetry.otlp_export"
    ] * 2


def test_two_telemetries_in_one_process_share_nothing() -> None:
    with OtlpReceiver() as left, OtlpReceiver() as right:
        first, second = start(left.endpoint), start(right.endpoint)
        run_event(first, SAMPLED)
        first.shutdown(5)
        second.shutdown(5)
        assert left.spans()
        assert not right.spans()


def test_the_receiver_wakes_a_waiter_when_spans_arrive_and_gives_up_in_time() -> None:
    with OtlpReceiver() as receiver:
        telemetry = start(receiver.endpoint)
        run_event(telemetry, SAMPLED)
        assert receiver.wait_for(lambda r: len(r.spans(PRODUCER_TRACE)) == 6, timeout_s=5)
        assert not receiver.wait_for(lambda r: len(r.spans(PRODUCER_TRACE)) == 7, timeout_s=0.01)
        telemetry.shutdown(5)


def post(url: str, body: bytes, **headers: str) -> int:
    request = urllib.request.Request(url, body, {"Content-Type": "application/x-protobuf", **headers})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_the_receiver_takes_gzip_and_refuses_what_is_not_otlp() -> None:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name="zipped")
    body = gzip.compress(request.SerializeToString())
    bomb = gzip.compress(bytes(17 * 1024 * 1024))
    with OtlpReceiver() as receiver:
        traces = f"{receiver.endpoint}/v1/traces"
        assert post(traces, body, **{"Content-Encoding": "gzip"}) == 200
        assert [span.name for span in receiver.spans(b"tttttttttttttttt".hex())] == ["zipped"]
        assert post(traces, bomb, **{"Content-Encoding": "gzip"}) == 413
        assert post(traces, b"\xff\xff", **{"Content-Encoding": "gzip"}) == 400
        assert post(traces, b"\xff\xff") == 400
        assert post(traces, body, **{"Content-Encoding": "br"}) == 415
        assert post(traces, b"", **{"Content-Length": str(10**9)}) == 413
        assert post(traces, b"", **{"Content-Length": "many"}) == 411
        assert post(traces, b"{}", **{"Content-Type": "application/json"}) == 415
        assert post(f"{receiver.endpoint}/v1/logs", b"") == 404
        assert len(receiver.spans()) == 1
