"""The action of `sluice up`: a text with a schema, and the JSON that the format agent makes of it."""

from typing import Any, Final

import orjson
from confluent_kafka import Producer

from sluicegate.agents.local.output_events import TIMEOUT_S, await_event
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


def publish_action(settings: Settings) -> None:
    """Publish the action. Blocks until the broker has it."""
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    producer.produce(settings.topic_actions_raw, orjson.dumps({"event_id": _EVENT_ID, "text": TEXT, "schema": _SCHEMA}))
    producer.flush(TIMEOUT_S)


def await_formatted(settings: Settings) -> dict[str, Any] | None:
    """The formatted action; None if there is none within a minute. Blocks."""
    return await_event(settings, settings.topic_actions_formatted, _EVENT_ID)
