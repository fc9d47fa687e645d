"""Forwards raw queries to the ledger topic, in place of ``sluice worker``, to measure the cost of Kafka alone.

``python -m benchmarks.passthrough faust`` is an agent as in Faust's tutorial, ``confluent`` a loop around two clients.
"""

import sys
import tempfile
from typing import Any

import faust
from confluent_kafka import Consumer, Producer

from sluicegate.agents.settings import Settings, load_settings


def _faust(settings: Settings) -> None:
    app = faust.App(
        "bare",
        broker=f"kafka://{settings.bootstrap_servers}",
        datadir=tempfile.gettempdir(),
        store="memory://",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        topic_disable_leader=True,
        web_port=settings.http_port,
    )
    raw = app.topic(settings.topic_raw, value_type=bytes, value_serializer="raw")
    ledger = app.topic(settings.topic_ledger, value_type=bytes, value_serializer="raw")

    async def pass_on(stream: Any) -> None:
        async for value in stream:
            await ledger.send(value=value)

    app.agent(raw)(pass_on)
    faust.Worker(app, loglevel="ERROR", quiet=True).execute_from_commandline()


def _confluent(settings: Settings) -> None:
    consumer = Consumer(
        {"bootstrap.servers": settings.bootstrap_servers, "group.id": "bare", "auto.offset.reset": "earliest"}
    )
    producer = Producer(
        {"bootstrap.servers": settings.bootstrap_servers, "enable.idempotence": "true", "linger.ms": 0.2}
    )
    consumer.subscribe([settings.topic_raw])
    while True:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            producer.produce(settings.topic_ledger, message.value())
        producer.poll(0)


if __name__ == "__main__":
    {"faust": _faust, "confluent": _confluent}[sys.argv[1]](load_settings())
