"""A review event on its way from its record to the ledger."""

from dataclasses import dataclass, field
from typing import Final

from sluicegate.agents.deciding.ledger_record import Stamp
from sluicegate.agents.kafka.publisher import Delivered
from sluicegate.agents.kafka.record import Record
from sluicegate.agents.outcomes.event import Event
from sluicegate.agents.outcomes.origin import Origin
from sluicegate.agents.review.outcomes import Ruling
from sluicegate.agents.review.reviewer import Asked, ReviewTask
from sluicegate.agents.telemetry import EventSpan
from sluicegate.schemas.codec import encode
from sluicegate.schemas.events import OutcomeName
from sluicegate.schemas.headers import replay_of

_UNKNOWN: Final = "unknown"
"""The versions in a dead letter of a record that could not be read."""


@dataclass(slots=True, kw_only=True)
class ReviewEvent(Event):
    """Each step adds what it knows."""

    task: ReviewTask | None = None
    ruling: Ruling | None = None
    again: bool = False
    """People have the event from another record, or its decision is published: it is a duplicate."""
    unanswered: tuple[Asked, ...] = ()
    rounds: int = 0
    asked_ms: float | None = None
    outcome: OutcomeName = "deadletter"
    outputs: list[Delivered] = field(default_factory=list)


def event_of_record(record: Record, span: EventSpan) -> ReviewEvent:
    """The event of a record of the review topic. The gate wrote its headers, so `replay_of` needs no proof."""
    own_id = str(record.position)
    origin = Origin(own_id, record.timestamp, replay_of(record.headers) if record.headers else None)
    return ReviewEvent(
        record=record, origin=origin, span=span, stamp=Stamp(own_id, record.timestamp, _UNKNOWN, _UNKNOWN)
    )


def event_of_task(task: ReviewTask, span: EventSpan) -> ReviewEvent:
    """The event of a task that people have kept."""
    source = task.source
    record = Record(
        source.topic, source.partition, source.offset, task.published, task.key, encode(task.review), task.headers
    )
    event = event_of_record(record, span)
    event.task, event.stamp = task, stamp_of(task)
    return event


def stamp_of(task: ReviewTask) -> Stamp:
    """What the outputs of a task repeat: the id, the time and the versions of the gate's event."""
    review = task.review
    return Stamp(review.event_id, review.event_time, review.model_version, review.prompt_version, review.policy_version)
