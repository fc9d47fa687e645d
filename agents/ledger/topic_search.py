"""Finds the ledger records of one event in the ledger's topic, without reading all of it.

The topic is read from its end, in windows that grow. An event's records have its id as their key, so only one partition
is read, unless the event has another name or its id is not found there. Reading ends ten minutes before the event was,
because no record of it can be older. A replay of an event without an id of its own has a new id: for those, the other
partitions are read too, from the event on.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from aiokafka.partitioner import murmur2  # type: ignore[import-untyped]  # it ships no types

from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.record_log import RecordLog, Span
from sluicegate.agents.ledger.search import POSITION, in_order, mentions, newest_of, the_event
from sluicegate.agents.settings import Settings
from sluicegate.schemas.codec import event_id_of
from sluicegate.schemas.errors import BrokerUnavailable
from sluicegate.schemas.events import LedgerRecord, Position
from sluicegate.schemas.payloads import without_schema_id

FIRST_WINDOW: Final = 20_000
"""Offsets of each partition that are read first. Each further window is four times as long."""
_GROWTH: Final = 4
_BEFORE: Final = timedelta(minutes=10)
_READ_WITHIN_S: Final = 30.0
_SHOW_EVERY: Final = 1000


class LedgerTopic:
    """The ledger's topic in Kafka."""

    def __init__(
        self,
        settings: Settings,
        *,
        within_s: float = _READ_WITHIN_S,
        show: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        """A search takes at most `within_s`. `show` gets the offsets that are read, and how many there may be."""
        self._connection = Connection.of(settings)
        self._topic = settings.topic_ledger
        self._within_s = within_s
        self._show = show

    def find(self, event_id: str) -> LedgerRecord | None:
        """The record that says what became of the event. Raises what `records_of` does."""
        found, records = self.records_of(event_id)
        return newest_of(records, event_id).final if found == event_id else None

    def records_of(self, name: str) -> tuple[str, list[LedgerRecord]]:
        """The id of the event that `name` names, and its records: see `find_life`.

        Raises:
            BrokerUnavailable: the brokers do not answer, or there is too much to read.
            ContractError: `name` is that of several events.
        """
        with RecordLog(self._connection) as log:
            return _Search(log, self._topic, time.monotonic() + self._within_s, self._show).life_of(name)


class _Search:
    """One search, from end to beginning."""

    def __init__(self, log: RecordLog, topic: str, deadline: float, show: Callable[[int, int], None]) -> None:
        self._log = log
        self._topic = topic
        self._deadline = deadline
        self._show = show
        self._spans = log.spans(topic, None)
        self._read = self._total = 0

    def life_of(self, name: str) -> tuple[str, list[LedgerRecord]]:
        name = self._id_at(name) or name
        key, others = self._by_key(name)
        named = self._backwards(key, name) or self._backwards(others, name)
        event_id = the_event(named, name)
        if event_id != name:
            named += self._backwards(self._by_key(event_id)[0], event_id)
        decided = [record.processing_time for record in named if str(record.source) == event_id]
        if decided:  # it has no id of its own, so a replay may have another
            named += mentions(self._values(self._log.spans(self._topic, min(decided) - _BEFORE), {}), event_id)
        return event_id, in_order(named, event_id)

    def _id_at(self, name: str) -> str | None:
        """The id in the record at the position `name`, if it is one and the record still exists."""
        if not (form := POSITION.fullmatch(name)):
            return None
        at = Position(topic=form[1], partition=int(form[2]), offset=int(form[3]))
        record = self._log.fetch([at]).get(at)
        return event_id_of(record.value) if record else None

    def _by_key(self, event_id: str) -> tuple[list[Span], list[Span]]:
        """The partition that the key `event_id` belongs to, and the others."""
        if not self._spans:
            return [], []
        number = (murmur2(event_id.encode(errors="surrogatepass")) & 0x7FFFFFFF) % len(self._spans)
        return [self._spans[number]], [span for span in self._spans if span.partition != number]

    def _backwards(self, spans: Sequence[Span], name: str) -> list[LedgerRecord]:
        """The records in `spans` that `name` may name, from the end of each to where there can be no more."""
        found: list[LedgerRecord] = []
        beginnings = {span.partition: span.start for span in spans}
        ends, length = {span.partition: span.stop for span in spans}, FIRST_WINDOW
        while ends:
            windows = [
                Span(self._topic, partition, max(beginnings[partition], end - length), end)
                for partition, end in ends.items()
            ]
            since: dict[int, datetime] = {}
            found += mentions(self._values(windows, since), name)
            enough = min((min(each.event_time, each.processing_time) for each in found), default=None)
            ends = {
                window.partition: window.start
                for window in windows
                if window.start > beginnings[window.partition]
                and not (enough and since.get(window.partition, enough) < enough - _BEFORE)
            }
            length *= _GROWTH
        return found

    def _values(self, spans: Iterable[Span], since: dict[int, datetime]) -> Iterator[bytes]:
        """What is in `spans`. `since` gets the time of the first record of each partition."""
        spans = list(spans)
        self._total += sum(span.stop - span.start for span in spans)
        for record in self._log.read(spans):
            if time.monotonic() > self._deadline:
                raise BrokerUnavailable(
                    f"{self._topic} could not be read within {_READ_WITHIN_S:.0f} s: use `sluice trace`, or a file of "
                    "its records"
                )
            self._read += 1
            if self._read % _SHOW_EVERY == 0:
                self._show(self._read, self._total)
            since.setdefault(record.partition, record.timestamp)
            yield without_schema_id(record.value or b"")
