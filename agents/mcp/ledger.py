"""Where `explain` finds ledger records: a file of JSON lines, or the ledger's topic."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

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


class LedgerFile:
    """A file with one ledger record a line, as a ledger sink or `sluice tail ledger --json` writes it."""

    def __init__(self, path: Path) -> None:
        """Raises StreamFailed if the file cannot be read."""
        self._path = path
        self._open().close()

    def find(self, event_id: str) -> LedgerRecord | None:
        """The newest record of the event; a shadow model's only if there is no other.

        Raises:
            StreamFailed: the file cannot be read.
        """
        with self._open() as lines:
            try:
                return newest(lines, event_id)
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
        """The newest record of the event; a shadow model's only if there is no other.

        Raises:
            BrokerUnavailable: the brokers do not answer, or there is too much to read.
        """
        deadline = time.monotonic() + _TOPIC_READ_WITHIN_S
        with RecordLog(self._connection) as log:
            return newest(self._values(log, deadline), event_id)

    def _values(self, log: RecordLog, deadline: float) -> Iterable[bytes]:
        for record in log.read(log.spans(self._topic, None)):
            if time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"{self._topic} could not be read within {_TOPIC_READ_WITHIN_S:.0f} s: give a file of its records"
                )
            yield record.value or b""


def newest(values: Iterable[bytes], event_id: str) -> LedgerRecord | None:
    """The newest record of `event_id` among JSON `values`; those that are not ledger records are left out."""
    wanted = msgspec.json.encode(event_id)[1:-1]
    found: LedgerRecord | None = None
    for value in values:
        if wanted not in value and b"\\" not in value:
            continue  # decoding takes most of the time
        record = _record_in(value)
        if record is not None and record.event_id == event_id and (found is None or _rank(record) >= _rank(found)):
            found = record
    return found


def _rank(record: LedgerRecord) -> tuple[bool, float]:
    return not record.shadow, record.processing_time.timestamp()


def _record_in(value: bytes) -> LedgerRecord | None:
    try:
        return _decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    try:
        return _decode(_decode_tailed(value).value)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
