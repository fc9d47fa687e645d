"""The last dead letters and reviews of a process, for its status page: what they are about, and no text of theirs.

Their text is kept only if a setting allows it (SLUICE_STATUS_TEXT).
"""

from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

Kind = Literal["deadletter", "review", "reviewed"]

_KEPT: Final = 10
_LONGEST: Final = 200


class Source(msgspec.Struct, frozen=True):
    """Where the record was."""

    topic: str
    partition: int
    offset: int


class Recent(msgspec.Struct, frozen=True):
    """What an output says about its event. `error` and `query` are its text."""

    event_id: str
    category: str | None = None
    reason: str | None = None
    reviewer: str | None = None
    allow: bool | None = None
    error_type: str | None = None
    error: str | None = None
    query: str | None = None
    source: Source | None = None
    at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC), name="shown_at")


_decode: Final = msgspec.json.Decoder(Recent).decode


class RecentOutcomes:
    """Used on one event loop; what is read is a copy."""

    def __init__(self) -> None:
        self.with_text = False
        self._kept: dict[str, deque[Recent]] = {}

    def published(self, kind: str, value: bytes) -> None:
        """Keep what `value`, an output that Kafka has, says about its event, if it is of a `Kind`."""
        if kind in ("deadletter", "review", "reviewed"):
            with suppress(msgspec.DecodeError):  # the page must not stop an event
                self.add(kind, _decode(value))

    def add(self, kind: str, recent: Recent) -> None:
        """Keep `recent` as the last of its kind."""
        if not self.with_text:
            recent = msgspec.structs.replace(recent, error=None, query=None)
        cut = {name: value[:_LONGEST] for name, value in msgspec.structs.asdict(recent).items() if type(value) is str}
        self._kept.setdefault(kind, deque(maxlen=_KEPT)).appendleft(msgspec.structs.replace(recent, **cut))

    def last(self, kind: Kind) -> list[Recent]:
        """The last of that kind, the newest first."""
        return list(self._kept.get(kind, ()))
