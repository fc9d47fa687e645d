"""The sample queries of ``sluice up``: what is published, and what happened to each query."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final

import orjson
from confluent_kafka import Consumer, Message, Producer
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, set_span_in_context

from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry.trace_context import inject
from sluicegate.schemas.codec import event_id_of
from sluicegate.schemas.topics import SENT

_TIMEOUT_S: Final = 60.0


@dataclass
class SampleQuery:
    """One line of the sample, and its output events by name."""

    kind: str
    value: bytes | None
    event_id: str = ""
    events: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def ledger(self) -> dict[str, Any] | None:
        """The ledger record, once it and every output that it lists have arrived."""
        entry = self.events.get("ledger")
        return entry if entry and len(self.events) == len(entry["outputs"]) + 1 else None

    @property
    def text(self) -> str:
        """The query for people."""
        try:
            return str(orjson.loads(self.value or b"null")["query"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return (self.value or b"(no value)").decode(errors="replace")


def read_sample() -> list[SampleQuery]:
    """The sample that comes with the package."""
    lines = files("sluicegate.agents.local").joinpath("sample.jsonl").read_bytes().splitlines()
    queries = []
    for row in map(orjson.loads, lines):
        if "record" in row:
            queries.append(SampleQuery(row["kind"], orjson.dumps(row["record"])))
        else:
            queries.append(SampleQuery(row["kind"], row["text"].encode() if row["text"] is not None else None))
    return queries


def publish(settings: Settings, otlp_endpoint: str, queries: Sequence[SampleQuery]) -> None:
    """Publish the sample as an instrumented producer does: one span per record, whose context is in its headers."""
    provider = TracerProvider(resource=Resource.create({"service.name": "search-frontend"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{otlp_endpoint}/v1/traces")))
    tracer = provider.get_tracer(__name__)
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})

    for query in queries:

        def delivered(error: object, message: Message, query: SampleQuery = query) -> None:
            if error is None:
                derived = f"{message.topic()}-{message.partition()}-{message.offset()}"
                query.event_id = event_id_of(query.value) or derived

        with tracer.start_as_current_span(f"publish {settings.topic_raw}", kind=SpanKind.PRODUCER) as span:
            headers: list[tuple[str, str | bytes | None]] = [*inject(set_span_in_context(span))]
            producer.produce(settings.topic_raw, query.value, headers=headers, on_delivery=delivered)
    producer.flush(_TIMEOUT_S)
    provider.shutdown()


def follow(settings: Settings, queries: Sequence[SampleQuery]) -> Iterator[None]:
    """Yield after each output and several times a second, until every query has its outcome or a minute has passed."""
    names = {settings.topics[name]: name for name in SENT}
    by_id = {query.event_id: query for query in queries}
    consumer = Consumer(
        {"bootstrap.servers": settings.bootstrap_servers, "group.id": "sluice-up", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(list(names))
    give_up = time.monotonic() + _TIMEOUT_S
    try:
        while time.monotonic() < give_up and not all(query.ledger for query in queries):
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                event = orjson.loads(message.value() or b"{}")
                if query := by_id.get(event.get("event_id")):
                    query.events[names[str(message.topic())]] = event
            yield
    finally:
        consumer.close()
