"""Which events of the gate are traced although the sampling ratio is 0."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from sluicegate.agents.deciding.live_models import LiveModels, load_models
from sluicegate.agents.gate.pipeline import Pipeline
from sluicegate.agents.kafka.publisher import Delivered
from sluicegate.agents.kafka.record import Record
from sluicegate.agents.local.otlp_receiver import OtlpReceiver
from sluicegate.agents.outcomes.publishing import OutcomePublisher
from sluicegate.agents.settings import load_settings
from sluicegate.agents.telemetry import EventSpan, Telemetry


class Broker:
    """Acknowledges everything, and keeps each topic with the last digit of its traceparent."""

    def __init__(self) -> None:
        self.told: dict[str, str] = {}

    def publish(
        self, topic: str, value: bytes, *, key: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> asyncio.Future[Delivered]:
        loop = asyncio.get_running_loop()
        delivery = loop.create_future()
        self.told[topic] = "sampled" if int(dict(headers)["traceparent"][-1:], 16) & 1 else "not sampled"
        loop.call_soon(delivery.set_result, Delivered(topic, 0, 1))
        return delivery


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (b'{"query": "wireless headphons"}', None),
        (b'{"query": "how to forge a passport"}', "blocked"),
        (b'{"query": "you are such a pathetic loser"}', "review"),
        (b'{"query": "red shoes", "deadline_ms": 1}', "review"),
        (b'{"query": "red sho', "deadletter"),
    ],
    ids=["allowed", "blocked", "review", "degraded", "dead letter"],
)
async def test_what_is_not_plainly_allowed_is_traced_and_all_that_is_published_says_so(
    value: bytes, outcome: str | None
) -> None:
    settings, broker = load_settings(trace_sample_ratio=0), Broker()
    with OtlpReceiver() as receiver:
        telemetry = Telemetry.start(
            otlp_endpoint=receiver.endpoint, sample_ratio=0, service_version="0", instance_id="test"
        )
        async with LiveModels[EventSpan].running(load_models(settings), settings) as live_models:
            publisher = OutcomePublisher(settings, broker, telemetry)  # type: ignore[arg-type]  # it only publishes
            await Pipeline(settings, live_models, publisher, telemetry).process(
                Record("queries.raw", 0, 7, datetime.now(UTC), None, value, ())
            )
        telemetry.shutdown(10)
        names = {span.name for span in receiver.spans()}
    if outcome is None:
        assert not names
        assert set(broker.told.values()) == {"not sampled"}
    else:
        assert {"process queries.raw", "publish"} <= names
        assert broker.told == {f"queries.{outcome}": "sampled", "queries.ledger": "sampled"}
