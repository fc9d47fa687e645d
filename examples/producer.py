"""Publish raw queries: ``python examples/producer.py "wireless headphons"``.

Each query is checked against the contract, has an id that makes retries recognisable, and takes its trace along.
"""

import json
import os
import sys
import uuid
from pathlib import Path

import jsonschema_rs
from confluent_kafka import KafkaError, Message, Producer
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider

TOPIC = os.environ.get("SLUICE_TOPIC_RAW", "queries.raw")
BROKERS = os.environ.get("SLUICE_BOOTSTRAP_SERVERS", "localhost:9092")
SCHEMA = Path(__file__).parents[1] / "schemas" / "json" / "raw.schema.json"

trace.set_tracer_provider(TracerProvider())  # add your exporter here
tracer = trace.get_tracer("search-frontend")
contract = jsonschema_rs.validator_for(json.loads(SCHEMA.read_bytes()), validate_formats=True)


def publish(producer: Producer, query: str, **about: object) -> str:
    """Hand one query to the producer, and return its trace id. `about` are optional fields, such as `user_id`."""
    event = {"query": query, "event_id": str(uuid.uuid4()), **about}
    contract.validate(event)  # raises ValidationError, which names the field
    with tracer.start_as_current_span(f"publish {TOPIC}", kind=trace.SpanKind.PRODUCER) as span:
        headers: dict[str, str] = {}
        propagate.inject(headers)  # traceparent
        producer.produce(TOPIC, json.dumps(event), headers=headers, on_delivery=report)
        return trace.format_trace_id(span.get_span_context().trace_id)


def report(error: KafkaError | None, message: Message) -> None:
    """Say where the record is. A record that Kafka did not take may be sent again with the same event_id."""
    if error:
        sys.exit(f"not published: {error}")


if __name__ == "__main__":
    kafka = Producer({"bootstrap.servers": BROKERS, "enable.idempotence": True})
    for typed in sys.argv[1:]:
        sys.stdout.write(f"{publish(kafka, typed, surface='example')}\n")
    kafka.flush()
