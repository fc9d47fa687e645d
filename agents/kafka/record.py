"""A consumed record: its place, its bytes, and what could not be read of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sluicegate.schemas.errors import UnreadableRecord
from sluicegate.schemas.events import Position

Headers = Sequence[tuple[str, bytes | None]]
"""Names are decoded as UTF-8 with `surrogateescape`, so that a name of any bytes is kept."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why bytes of the log are not a valid record. Such a record becomes a dead letter."""

    reason: str
    last_offset: int | None = None
    """None: key, value and headers could be read. Otherwise they could not, and the record stands for all offsets from
    its own up to and including this one."""


@dataclass(frozen=True, slots=True)
class Record:
    """A consumed record."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: bytes | None
    value: bytes | None
    headers: Headers
    unreadable: Unreadable | None = None

    @property
    def position(self) -> Position:
        """Where the record is in Kafka."""
        return Position(topic=self.topic, partition=self.partition, offset=self.offset)

    def require_readable(self) -> None:
        """Check that all of the record could be read.

        Raises:
            UnreadableRecord: it could not; says why, and which offsets it stands for.
        """
        if self.unreadable:
            last = self.unreadable.last_offset
            offsets = f"offsets {self.offset} to {last}: " if last is not None and last > self.offset else ""
            raise UnreadableRecord(offsets + self.unreadable.reason)
