"""Finds the ledger records of one event: among lines of JSON, in a file of them, or in a spool."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

from sluicegate.agents.spool.reading import read_all
from sluicegate.schemas.errors import ContractError, StreamFailed
from sluicegate.schemas.events import LedgerRecord

_START_OF_A_SPOOL: Final = b"SQLite format 3\0"
_SHOWN: Final = 5
POSITION: Final = re.compile(r"(.+)-(\d{1,9})-(\d{1,18})", re.ASCII | re.DOTALL)
"""`topic-partition-offset`"""

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


def newest_of(records: Iterable[LedgerRecord], event_id: str) -> EventRecords:
    """The newest among the `records` that have `event_id`."""
    found: dict[bool, LedgerRecord] = {}
    for record in records:
        if record.event_id == event_id:
            other = found.get(record.review is not None)
            if other is None or _rank(record) >= _rank(other):
                found[record.review is not None] = record
    return EventRecords(found.get(False), found.get(True))


def _rank(record: LedgerRecord) -> tuple[bool, bool, float]:
    waits = record.review is not None and record.review.allow is None
    return not record.shadow, not waits, record.processing_time.timestamp()


class LedgerFile:
    """A file of ledger records, one a line as a ledger sink or `sluice tail ledger --json` writes it; or a spool.

    Every search reads all of it.
    """

    def __init__(self, path: Path) -> None:
        """Raises StreamFailed if the file cannot be read."""
        self._path = path
        with self._open() as file:
            self._is_spool = file.read(len(_START_OF_A_SPOOL)) == _START_OF_A_SPOOL

    def find(self, event_id: str) -> LedgerRecord | None:
        """The record that says what became of the event. Raises what `records_of` does."""
        return newest_of(mentions(self._values(), event_id), event_id).final

    def records_of(self, name: str | None) -> tuple[str, list[LedgerRecord]]:
        """What `find_life` finds.

        Raises:
            ContractError: `name` is that of several events.
            StreamFailed, SpoolFailed: the file cannot be read.
        """
        return find_life(self._values, name)

    def _values(self) -> Iterator[bytes]:
        if self._is_spool:
            yield from (stored.record.value for stored in read_all(self._path) if stored.intact)
            return
        with self._open() as lines:
            try:
                yield from lines
            except OSError as error:
                raise self._unreadable(error) from None

    def _open(self) -> BinaryIO:
        try:
            return self._path.open("rb")
        except OSError as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: OSError) -> StreamFailed:
        return StreamFailed(f"cannot read the ledger {self._path}: {error.strerror or error}")


def find_life(values: Callable[[], Iterable[bytes]], name: str | None) -> tuple[str, list[LedgerRecord]]:
    """The id of the event that `name` names, and all of its records in `values`, replays too, in the order of time.

    `name` is the event's id, its trace id, or a position (`topic-partition-offset`) of the raw record or of an output.
    Without it, `values` must be about one event. There are no records if nothing has the name. `values` are JSON, and
    are read up to twice.

    Raises:
        ContractError: it is the name of several events.
    """
    named = list(mentions(values(), name))
    event_id = the_event(named, name)
    return event_id, in_order(named if name in (event_id, None) else mentions(values(), event_id), event_id)


def the_event(named: Sequence[LedgerRecord], name: str | None) -> str:
    """The id of the event that `name` names, given the records that mention it; `name` itself if there are none.

    Raises:
        ContractError: it is the name of several events.
    """
    of_originals = [record for record in named if name is None or record.replay_of != name]
    ids = dict.fromkeys(record.event_id for record in of_originals or named)
    if name in ids or not ids:
        return name or ""
    if len(ids) > 1:
        several = ", ".join(map(repr, list(ids)[:_SHOWN]))
        more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
        what = f"{name} is the name of" if name else "these are records of"
        raise ContractError(f"{what} {len(ids)} events: ask for one of {several}{more}")
    return next(iter(ids))


def in_order(records: Iterable[LedgerRecord], event_id: str) -> list[LedgerRecord]:
    """Those of `records` that are of the event or of its replays, each once, in the order of time."""
    of_event = {
        (record.source, record.processing_time, record.shadow): record
        for record in records
        if event_id in (record.event_id, record.replay_of)
    }
    return sorted(of_event.values(), key=lambda record: record.processing_time)


def mentions(values: Iterable[bytes], name: str | None) -> Iterator[LedgerRecord]:
    """The ledger records among JSON `values` that `name` may name, or all. What is no ledger record is left out."""
    forms = [] if name is None else _as_written(name)
    for value in values:
        if name and b"\\" not in value and not any(all(part in value for part in parts) for parts in forms):
            continue  # decoding takes most of the time
        record = _record_in(value)
        if record is not None and (name is None or name in _names_of(record)):
            yield record


def _as_written(name: str) -> list[list[bytes]]:
    """What is in the JSON of a record that `name` names: all parts of one of the forms, unless it has escapes."""
    forms = [[_inside_quotes(name)]]
    if position := POSITION.fullmatch(name):
        forms.append([_inside_quotes(position[1]), position[3].encode()])
    return forms


def _inside_quotes(text: str) -> bytes:
    return msgspec.json.encode(text)[1:-1]


def _names_of(record: LedgerRecord) -> Iterator[str]:
    yield from (record.event_id, record.trace_id, str(record.source))
    if record.replay_of:
        yield record.replay_of
    yield from map(str, record.outputs)


def _record_in(value: bytes) -> LedgerRecord | None:
    try:
        return _decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    try:
        return _decode(_decode_tailed(value).value)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
