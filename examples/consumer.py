"""Read allowed queries once each, however often they come: ``python examples/consumer.py searches.db``.

The effect and the note that it happened are one transaction of the database. Only then is the offset committed. So a
crash at any point repeats nothing and loses nothing.
"""

import json
import os
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

import jsonschema_rs
from confluent_kafka import Consumer, KafkaException, Message
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider

TOPIC = os.environ.get("SLUICE_TOPIC_RECALL", "queries.recall")
BROKERS = os.environ.get("SLUICE_BOOTSTRAP_SERVERS", "localhost:9092")
SCHEMA = Path(__file__).parents[1] / "schemas" / "json" / "recall.schema.json"

trace.set_tracer_provider(TracerProvider())  # add your exporter here
tracer = trace.get_tracer("recall")
contract = jsonschema_rs.validator_for(json.loads(SCHEMA.read_bytes()), validate_formats=True)


def process(message: Message, searches: sqlite3.Connection) -> None:
    """Search for one query, in the trace of its producer, unless that was done before."""
    event = json.loads(message.value() or b"null")
    contract.validate(event)
    headers = {name: (value or b"").decode() for name, value in message.headers() or []}
    with (
        tracer.start_as_current_span(f"process {TOPIC}", propagate.extract(headers), trace.SpanKind.CONSUMER) as span,
        searches,
    ):
        trace_id = trace.format_trace_id(span.get_span_context().trace_id)
        found = searches.execute(
            "INSERT INTO searches VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (event["event_id"], event["lexical"], trace_id),
        )
        if found.rowcount:
            sys.stdout.write(f"{trace_id}  {event['lexical']}\n")
            sys.stdout.flush()


def main(database: str) -> None:
    """Consume until interrupted."""
    kafka = Consumer(
        {
            "bootstrap.servers": BROKERS,
            "group.id": "recall-example",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    kafka.subscribe([TOPIC])
    with closing(sqlite3.connect(database)) as searches, closing(kafka):
        searches.execute("CREATE TABLE IF NOT EXISTS searches (event_id TEXT PRIMARY KEY, lexical TEXT, trace_id TEXT)")
        while True:
            message = kafka.poll(1)
            if message is None:
                continue
            if error := message.error():
                raise KafkaException(error)
            process(message, searches)
            kafka.commit(message, asynchronous=False)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(sys.argv[1])
