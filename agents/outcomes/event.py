"""One event on its way from its record to its outcome, as far as every agent knows it."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from sluicegate.agents.agent import Released
from sluicegate.agents.deciding.ledger_record import Stamp
from sluicegate.agents.error_text import describe_error
from sluicegate.agents.kafka.record import Record
from sluicegate.agents.outcomes.origin import Origin
from sluicegate.agents.telemetry import EventSpan, Telemetry
from sluicegate.schemas.cloud_events import trace_headers
from sluicegate.schemas.codec import event_id_of

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Event:
    """An event; each step of an agent's pipeline adds what it knows, and an agent adds fields of its own."""

    record: Record
    origin: Origin
    span: EventSpan
    stamp: Stamp
    """What its outputs repeat. Until the record is decoded, the id and the time are those of its origin."""
    started_ns: int = field(default_factory=time.time_ns)
    publish_ms: float | None = None
    error: Exception | None = None
    """Why it is a dead letter."""

    def keep_id_of_broken_record(self) -> None:
        """Take the producer's event id from a record that is not what it should be, if it has a usable one."""
        event_id = event_id_of(self.record.value, self.record.headers) or self.origin.event_id
        self.stamp = msgspec.structs.replace(self.stamp, event_id=event_id)

    @property
    def total_ms(self) -> float:
        """Milliseconds since the event began."""
        return milliseconds(self.started_ns, time.time_ns())


@contextmanager
def processing(telemetry: Telemetry, record: Record, group_id: str) -> Iterator[EventSpan]:
    """The span in which `record` is brought to its outcome. An error that leaves it is logged: there is no outcome."""
    with telemetry.process_span(
        telemetry.extract(trace_headers(record.headers, record.value)),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        group=group_id,
        body_size=len(record.value or b""),
    ) as span:
        try:
            yield span
        except Released:
            raise
        except Exception as error:
            logger.critical("%s has no outcome: %s", record.position, describe_error(error))
            raise


def milliseconds(started_ns: int, ended_ns: int) -> float:
    """A duration in milliseconds; zero if the wall clock was set back meanwhile."""
    return max(0, ended_ns - started_ns) / 1e6
