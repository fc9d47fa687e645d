"""Which events are exported, seen by a collector and by those that read their outputs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from sluicegate.agents.local.otlp_receiver import OtlpReceiver
from sluicegate.agents.telemetry import EventSpan, Outcome, Telemetry

UNSAMPLED = ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")


def start(receiver: OtlpReceiver, *, sample_ratio: float = 0.0, slow_after_ms: float = 0.0) -> Telemetry:
    return Telemetry.start(
        otlp_endpoint=receiver.endpoint,
        sample_ratio=sample_ratio,
        slow_after_ms=slow_after_ms,
        service_version="1",
        instance_id="test",
    )


@contextmanager
def process(telemetry: Telemetry, *headers: tuple[str, bytes]) -> Iterator[EventSpan]:
    with telemetry.process_span(
        telemetry.extract(headers), topic="queries.raw", partition=0, offset=1, group="gate", body_size=1
    ) as event:
        yield event


def publish(telemetry: Telemetry, event: EventSpan) -> bool:
    """Publish an output; returns whether it tells its consumer to trace."""
    with telemetry.publish_span(event, ["queries.recall"]) as context:
        return sampled(telemetry, context)


def sampled(telemetry: Telemetry, context: object) -> bool:
    [(_, traceparent)] = telemetry.inject(context)  # type: ignore[arg-type]
    return bool(int(traceparent[-2:], 16) & 1)


def wait_ms(milliseconds: float) -> None:
    over = time.monotonic() + milliseconds / 1000
    while time.monotonic() < over:
        pass


MADE_WORTH_KEEPING: dict[str, Callable[[EventSpan], None]] = {
    "blocked, reviewed, degraded or a dead letter": lambda event: event.keep(),
    "slow": lambda _: wait_ms(3),
}


@pytest.mark.parametrize("happens", MADE_WORTH_KEEPING.values(), ids=MADE_WORTH_KEEPING)
def test_an_event_that_is_always_kept_is_exported_whole_and_its_outputs_say_so(
    happens: Callable[[EventSpan], None],
) -> None:
    with OtlpReceiver() as receiver:
        telemetry = start(receiver, slow_after_ms=2)
        with process(telemetry) as event:
            telemetry.record_stage(event, "normalise", 1, 2)
            happens(event)
            told = publish(telemetry, event)
            ledger_told = sampled(telemetry, event.context)
        telemetry.shutdown(5)
        spans = {span.name: span for span in receiver.spans(event.trace_id)}
    assert (told, ledger_told) == (True, True)
    assert set(spans) == {"process queries.raw", "normalise", "publish"}
    root = spans.pop("process queries.raw")
    assert root.parent_id is None
    assert {span.parent_id for span in spans.values()} == {root.span_id}


def test_an_event_that_ends_with_an_error_is_exported() -> None:
    with OtlpReceiver() as receiver:
        telemetry = start(receiver)
        with process(telemetry) as dead_letter:
            telemetry.record(dead_letter, Outcome(event_id="e", duration_s=1, error_type="ContractError"))
        with pytest.raises(ValueError, match="secret"), process(telemetry) as failed:
            raise ValueError("secret")
        telemetry.shutdown(5)
        spans = {span.trace_id: span for span in receiver.spans()}
    assert {event.trace_id for event in (dead_letter, failed)} == set(spans)
    assert all(span.failed for span in spans.values())


def test_an_event_that_turns_out_slow_after_its_outputs_is_exported_although_they_told_no_consumer() -> None:
    with OtlpReceiver() as receiver:
        telemetry = start(receiver, slow_after_ms=200)
        with process(telemetry) as event:
            told = publish(telemetry, event)
            wait_ms(200)
        telemetry.shutdown(5)
        assert {span.name for span in receiver.spans(event.trace_id)} == {"process queries.raw", "publish"}
    assert not told


def test_what_the_producer_does_not_sample_is_never_exported() -> None:
    with OtlpReceiver() as receiver:
        telemetry = start(receiver, sample_ratio=1, slow_after_ms=0.001)
        with process(telemetry, UNSAMPLED) as event:
            event.keep()
            told = publish(telemetry, event)
            telemetry.record_batch([event], 0, 1, model="m", input_tokens=1, output_tokens=1)
            telemetry.record(event, Outcome(event_id="e", duration_s=1, error_type="ContractError"))
        telemetry.shutdown(5)
        assert receiver.spans() == []
    assert not told


def test_of_other_events_the_set_share_is_exported_and_their_outputs_say_which() -> None:
    with OtlpReceiver() as receiver:
        telemetry = start(receiver, sample_ratio=0.1)
        told = {}
        for _ in range(1000):
            with process(telemetry) as event:
                told[event.trace_id] = publish(telemetry, event)
        telemetry.shutdown(10)
        exported = {span.trace_id for span in receiver.spans()}
    assert exported == {trace_id for trace_id, sampled in told.items() if sampled}
    assert 40 <= len(exported) <= 180  # 6 standard deviations


def test_a_batch_links_those_of_its_members_that_are_exported_and_is_dropped_without_any() -> None:
    with OtlpReceiver() as receiver:
        telemetry = start(receiver)
        with process(telemetry) as kept:
            with process(telemetry) as dropped:
                for members in ([dropped], [kept, dropped, kept]):
                    telemetry.record_batch(members, 0, 1, model="m", input_tokens=1, output_tokens=1)
            kept.keep()
        telemetry.shutdown(5)
        [batch] = [span for span in receiver.spans() if span.name == "sluicegate.batch"]
    assert batch.links == ((kept.trace_id, f"{kept.place.span_id:016x}"),)
    assert batch.attributes["sluicegate.batch.size"] == 3


@pytest.mark.parametrize("keep", [True, False])
def test_a_batch_that_ends_after_its_event_still_links_it(keep: bool) -> None:
    with OtlpReceiver() as receiver:
        telemetry = start(receiver, slow_after_ms=50)
        with process(telemetry) as event:
            if keep:
                event.keep()
        wait_ms(51)  # an event that has ended does not become slow
        telemetry.record_batch([event], 0, 1, model="shadow", input_tokens=1, output_tokens=1)
        telemetry.shutdown(5)
        assert [span.name for span in receiver.spans()] == (["process queries.raw", "sluicegate.batch"] if keep else [])
