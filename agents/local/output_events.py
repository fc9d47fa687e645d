"""Waiting for one event of an output topic."""

import time
from typing import Any, Final

import orjson
from confluent_kafka import Consumer

from sluicegate.agents.settings import Settings

TIMEOUT_S: Final = 60.0


def await_event(settings: Settings, topic: str, event_id: str) -> dict[str, Any] | None:
    """The first event of `topic` with this id; None if there is none within a minute. Blocks."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.bootstrap_servers,
            "group.id": f"sluice-up-{topic}",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])
    give_up = time.monotonic() + TIMEOUT_S
    try:
        while time.monotonic() < give_up:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                event: dict[str, Any] = orjson.loads(message.value() or b"{}")
                if event.get("event_id") == event_id:
                    return event
        return None
    finally:
        consumer.close()
