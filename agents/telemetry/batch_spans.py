"""The spans of batches: each waits until all events in its batch have ended, and links those that are exported."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opentelemetry.util.types import AttributeValue

from sluicegate.agents.telemetry.event_span import EventSpan
from sluicegate.agents.telemetry.span_export import SpanExport


@dataclass(slots=True)
class _Batch:
    members: Sequence[EventSpan]
    start_ns: int
    end_ns: int
    attributes: Mapping[str, AttributeValue]
    waiting: int = 0
    """How many members have not ended."""


class BatchSpans:
    """Holds the batches of events that have not ended. Its methods may be called from any thread."""

    def __init__(self, export: SpanExport | None) -> None:
        self._export = export
        self._lock = threading.Lock()
        self._of: dict[EventSpan, list[_Batch]] = {}

    def begin(self, event: EventSpan) -> None:
        """From now on the batches of `event` wait for its end."""
        with self._lock:
            self._of[event] = []

    def add(
        self, members: Sequence[EventSpan], start_ns: int, end_ns: int, attributes: Mapping[str, AttributeValue]
    ) -> None:
        """A batch that has run. A member that has ended already is linked too, if it is exported."""
        recording = [member for member in dict.fromkeys(members) if member.recording]
        if not recording:
            return
        batch = _Batch(recording, start_ns, end_ns, attributes)
        with self._lock:
            open_lists = [batches for member in recording if (batches := self._of.get(member)) is not None]
            for batches in open_lists:
                batches.append(batch)
            batch.waiting = len(open_lists)
        if not open_lists:
            self._finish(batch)

    def end(self, event: EventSpan) -> None:
        """`event` has ended: export each batch of which it was the last."""
        complete = []
        with self._lock:
            for batch in self._of.pop(event):
                batch.waiting -= 1
                if not batch.waiting:
                    complete.append(batch)
        for batch in complete:
            self._finish(batch)

    def _finish(self, batch: _Batch) -> None:
        kept = [member.place for member in batch.members if member.kept]
        if kept and self._export:
            self._export.batch(kept, batch.start_ns, batch.end_ns, batch.attributes)
