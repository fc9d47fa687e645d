"""The action of `sluice up`: a text with a schema, and the JSON that the format agent makes of it."""

import time
from typing import Any, Final

import orjson
from confluent_kafka import Consumer, Producer

from sluicegate.agents.settings import Settings

TEXT: Final = "two adults to Oslo in business on 3 May 2026"
_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "destination": {"type": "string"},
        "adults": {"type": "integer", "minimum": 1},
        "departure": {"type": "string", "format": "date"},
        "cabin": {"enum": ["economy", "business"]},
    },
    "required": ["destination", "adults", "departure", "cabin"],
}
_EVENT_ID: Final = "sample-action"
_TIMEOUT_S: Final = 60.0


def publish_action(settings: Settings) -> None:
    """Publish the action. Blocks until the broker has it."""
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    producer.produce(settings.topic_actions_raw, orjson.dumps({"event_id": _EVENT_ID, "text": TEXT, "schema": _SCHEMA}))
    producer.flush(_TIMEOUT_S)


def await_formatted(settings: Settings) -> dict[str, Any] | None:
    """The formatted action; None if there is none within a minute. Blocks."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.bootstrap_servers,
            "group.id": "sluice-up-action",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([settings.topic_actions_formatted])
    give_up = time.monotonic() + _TIMEOUT_S
    try:
        while time.monotonic() < give_up:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                event: dict[str, Any] = orjson.loads(message.value() or b"{}")
                if event.get("event_id") == _EVENT_ID:
                    return event
        return None
    finally:
        consumer.close()
