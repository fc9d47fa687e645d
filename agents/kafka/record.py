"""A consumed record, as it came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sluicegate.schemas.events import Position
from sluicegate.schemas.headers import original_time, replay_of


@dataclass(frozen=True, slots=True)
class Record:
    """A consumed record, as it came."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]

    @property
    def position(self) -> Position:
        """Where it lies."""
        return Position(topic=self.topic, partition=self.partition, offset=self.offset)

    @property
    def replay_of(self) -> str | None:
        """Where the record lies that this one repeats, if `sluice replay` published it."""
        return replay_of(self.headers)

    @property
    def derived_id(self) -> str:
        """The event id of a record without one: the same at every redelivery and replay."""
        return self.replay_of or str(self.position)

    @property
    def event_time(self) -> datetime:
        """The time of an event without one: when its record came, or the record that this one repeats."""
        return (original_time(self.headers) if self.replay_of else None) or self.timestamp
