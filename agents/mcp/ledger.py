"""Where `explain` finds ledger records: a file of JSON lines, or the ledger's topic."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.record_log import RecordLog
from sluicegate.agents.settings import Settings
from sluicegate.schemas.errors import BrokerUnavailable, StreamFailed
from sluicegate.schemas.events import LedgerRecord

_TOPIC_READ_WITHIN_S: Final = 30.0

_decode: Final = msgspec.json.Decoder(LedgerRecord).decode


class _Tailed(msgspec.Struct):
    """A line of `sluice tail ledger --json`, which has the record as its value."""

    value: msgspec.Raw


_decode_tailed: Final = msgspec.json.Decoder(_Tailed).decode


class EventRecords(NamedTuple):
    """The newest records of one event; a shadow model's only if there is no other."""

    own: LedgerRecord | None
    """Of the gate, or of the format agent."""
    review: LedgerRecord | None
    """Of the review agent; one that nobody has decided only if there is no other."""

    @property
    def final(self) -> LedgerRecord | None:
        """The newest of both; one of a review that nobody has decided only if there is no other."""
        return max((each for each in self if each), key=_rank, default=None)


class LedgerFile:
    """A file with one ledger record a line, as a ledger sink or `sluice tail ledger --json` writes it."""

    def __init__(self, path: Path) -> None:
        """Raises StreamFailed if the file cannot be read."""
        self._path = path
        self._open().close()

    def find(self, event_id: str) -> LedgerRecord | None:
        """The record that says what became of the event.

        Raises:
            StreamFailed: the file cannot be read.
        """
        return self.records_of(event_id).final

    def records_of(self, event_id: str) -> EventRecords:
        """The newest records of the event. Raises what `find` does."""
        with self._open() as lines:
            try:
                return records_of(lines, event_id)
            except OSError as error:
                raise self._unreadable(error) from None

    def _open(self) -> BinaryIO:
        try:
            return self._path.open("rb")
        except OSError as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: OSError) -> StreamFailed:
        return StreamFailed(f"cannot read the ledger {self._path}: {error.strerror or error}")


class LedgerTopic:
    """The ledger's topic in Kafka. Every search reads all of it."""

    def __init__(self, settings: Settings) -> None:
        self._connection = Connection.of(settings)
        self._topic = settings.topic_ledger

    def find(self, event_id: str) -> LedgerRecord | None:
        """The record that says what became of the event.

        Raises:
            BrokerUnavailable: the brokers do not answer, or there is too much to read.
        """
        return self.records_of(event_id).final

    def records_of(self, event_id: str) -> EventRecords:
        """The newest records of the event. Raises what `find` does."""
        deadline = time.monotonic() + _TOPIC_READ_WITHIN_S
        with RecordLog(self._connection) as log:
            return records_of(self._values(log, deadline), event_id)

    def _values(self, log: RecordLog, deadline: float) -> Iterable[bytes]:
        for record in log.read(log.spans(self._topic, None)):
            if time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"{self._topic} could not be read within {_TOPIC_READ_WITHIN_S:.0f} s: give a file of its records"
                )
            yield record.value or b""


def records_of(values: Iterable[bytes], event_id: str) -> EventRecords:
    """The records of `event_id` among JSON `values`; those that are not ledger records are left out."""
    wanted = msgspec.json.encode(event_id)[1:-1]
    found: dict[bool, LedgerRecord] = {}
    for value in values:
        if wanted not in value and b"\\" not in value:
            continue  # decoding takes most of the time
        record = _record_in(value)
        if record is not None and record.event_id == event_id:
            other = found.get(record.review is not None)
            if other is None or _rank(record) >= _rank(other):
                found[record.review is not None] = record
    return EventRecords(found.get(False), found.get(True))


def _rank(record: LedgerRecord) -> tuple[bool, bool, float]:
    waits = record.review is not None and record.review.allow is None
    return not record.shadow, not waits, record.processing_time.timestamp()


def _record_in(value: bytes) -> LedgerRecord | None:
    try:
        return _decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    try:
        return _decode(_decode_tailed(value).value)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
