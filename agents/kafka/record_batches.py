"""Reads the record batches of a fetch so that no bytes in them can stop a partition.

aiokafka raises when it cannot read a record. The error reaches Faust, which ends the worker, and so does every worker
that is given the partition next. The classes below replace aiokafka's `MemoryRecords` and `PartitionRecords`. They read
with aiokafka's own parser. What it cannot read becomes a `ConsumerRecord` whose `checksum` is an `Unreadable`: Faust
and aiokafka pass that field along and never look at it.

    what is wrong                               what is delivered in its place
    a header name is not UTF-8, or missing      the record with all of its bytes
    one record's fields do not fit its length   a record without content, at the same offset
    the batch: checksum, codec, compressed      a record without content, at the first of the batch's offsets that were
    data, format, unpacked size, its records'   not delivered yet; it stands for all of them
    lengths or offsets
    more than MAX_RECORD_BYTES in one record    a record without content, at the same offset

Memory: a batch is decompressed into a buffer of MAX_BATCH_BYTES, never beyond. One poll begins no further batch once it
has read MAX_POLL_BYTES, and no further record once it has read MAX_POLL_HEADERS. The rest of the fetched data is
dropped and fetched again. aiokafka's parser makes an object of every header before it returns a record, so it never
gets a batch that could hold a record beyond MAX_RECORD_BYTES.
"""

import struct
from collections.abc import Generator, Iterator
from typing import Any, ClassVar, Final, NamedTuple, Self

from aiokafka.consumer import fetcher  # type: ignore[import-untyped]
from aiokafka.record.default_records import DefaultRecordBatch  # type: ignore[import-untyped]
from aiokafka.record.legacy_records import LegacyRecordBatch  # type: ignore[import-untyped]
from aiokafka.structs import ConsumerRecord  # type: ignore[import-untyped]

from sluicegate.agents.kafka.decompression import MAX_BATCH_BYTES, BrokenBatch, Buffer, decompress
from sluicegate.agents.kafka.record import Headers, Unreadable
from sluicegate.agents.kafka.record_fields import (
    HEADER_BYTES,
    BrokenRecord,
    TooManyHeaders,
    read_fields,
    read_varint,
    record_bytes,
)

MAX_POLL_BYTES: Final = 2 * MAX_BATCH_BYTES
MAX_POLL_HEADERS: Final = 100_000
MAX_RECORD_BYTES: Final = 1024 * 1024
"""Of key, value and headers (`record_bytes`): Kafka's default limit of a message, which compression gets around."""

_FRAME: Final = struct.Struct(">qi")  # base offset, and the length of what follows: the same in every format
_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
_ATTRIBUTES_AT: Final = 21
_MAGIC_AT: Final = 16
_SMALLEST: Final = 26  # a message of format 0 without key and value
_LEGACY_ATTRIBUTES_AT: Final = 17
_LEGACY_KEY_AT: Final = (18, 26)
_CODEC_BITS: Final = 0x07
_APPEND_TIME_BIT: Final = 0x08

_LENGTHS_BYTES: Final = 40
"""The most that a record's time, offset, and the lengths of its key and value take."""

_TOO_LARGE: Final = (
    f"the record is larger than {MAX_RECORD_BYTES >> 20} MiB, with {HEADER_BYTES} bytes more for each header: "
    "the producer must send smaller records"
)


class FetchedBytes:
    """What a fetch returned for one partition; takes the place of aiokafka's `MemoryRecords`."""

    def __init__(self, data: bytes | None) -> None:
        self.data = data or b""

    def has_next(self) -> bool:
        """Whether there is anything to read."""
        return bool(self.data)

    def size_in_bytes(self) -> int:
        """The number of bytes to read."""
        return len(self.data)


class _Header(NamedTuple):
    """The header of a batch of format 2."""

    base: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_delta: int
    first_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    sequence: int
    records: int

    @classmethod
    def of(cls, data: bytes) -> Self:
        return cls(*_HEADER.unpack_from(data))

    @property
    def last(self) -> int:
        return self.base + self.last_delta

    def believable_last(self, next_base: int | None) -> int:
        """The last offset of a batch that is damaged, or its first if nothing confirms what the header says."""
        confirmed = self.records == self.last_delta + 1 and (next_base is None or self.last < next_base)
        return self.last if confirmed else self.base


class PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka is not typed
    """Iterates over one partition's fetched records, on the consumer's thread."""

    bytes_left: ClassVar[int] = MAX_POLL_BYTES
    headers_left: ClassVar[int] = MAX_POLL_HEADERS
    """What the current poll may still read, all partitions together."""

    next_fetch_offset: int

    @classmethod
    def begin_poll(cls) -> None:
        """Let the next poll read as much as one poll may. The consumer calls it before each."""
        cls.bytes_left, cls.headers_left = MAX_POLL_BYTES, MAX_POLL_HEADERS

    def _unpack_records(self) -> Iterator[Any]:
        data, at = self._records.data, 0
        while batch := _whole_batch(data, at):
            if PartitionRecords.bytes_left <= 0 or PartitionRecords.headers_left <= 0:
                return
            PartitionRecords.bytes_left -= len(batch)
            at += len(batch)
            next_base = _FRAME.unpack_from(data, at)[0] if len(data) - at >= _FRAME.size else None
            yield from self._read_batch(batch, next_base)
        if not at:
            yield self._stand_in(self.next_fetch_offset, "the length of the record batch is wrong")

    def _read_batch(self, data: bytes, next_base: int | None) -> Iterator[Any]:
        magic = data[_MAGIC_AT]
        if magic < 2:
            yield from self._read_legacy(data, magic)
        elif magic > 2 or len(data) < _HEADER.size:
            yield self._stand_in(self.next_fetch_offset, f"the record batch has an unknown format (magic {magic})")
        else:
            header, batch = _Header.of(data), DefaultRecordBatch(data)
            if not batch.validate_crc():
                yield self._stand_in(header.believable_last(next_base), "the checksum of the record batch is wrong")
                return
            if header.last < header.base:
                if next_base is None or next_base > self.next_fetch_offset:
                    yield self._stand_in(header.base, "the record batch ends before it begins")
                return
            if self._holds_events(batch) and not (yield from self._read_records(batch, header, data)):
                return
            self.next_fetch_offset = max(self.next_fetch_offset, header.last + 1)

    def _holds_events(self, batch: Any) -> bool:
        """Whether the batch is neither a transaction's end marker nor part of an aborted transaction."""
        self._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch:
            self._aborted_producers.discard(batch.producer_id)  # any marker ends the transaction
            return False
        return not (batch.is_transactional and batch.producer_id in self._aborted_producers)

    def _read_records(self, batch: Any, header: _Header, data: bytes) -> Generator[Any, None, bool]:
        """Read the records of a batch. Returns whether it was read to its end, not only as far as this poll may."""
        payload: Buffer = memoryview(data)[_HEADER.size :]
        if codec := header.attributes & _CODEC_BITS:
            try:
                payload = decompress(codec, payload)
            except BrokenBatch as broken:
                yield self._stand_in(header.last, str(broken))
                return True
            PartitionRecords.bytes_left -= len(payload)
            plain = bytearray(data[: _HEADER.size])
            plain[_ATTRIBUTES_AT : _ATTRIBUTES_AT + 2] = (header.attributes & ~_CODEC_BITS).to_bytes(2, "big")
            batch = DefaultRecordBatch(bytes(plain) + payload)
        if len(payload) > MAX_RECORD_BYTES:
            return (yield from self._read_one_by_one(header, payload))
        previous = header.base - 1
        try:
            for record in batch:
                if not previous < record.offset <= header.last:
                    raise BrokenRecord
                previous = record.offset
                if previous >= self.next_fetch_offset:
                    if PartitionRecords.headers_left <= 0:
                        return False
                    self.next_fetch_offset = previous
                    yield self._delivered(record)
        except Exception:  # noqa: BLE001 - the parser raises whatever it comes upon
            return (yield from self._read_one_by_one(header, payload))
        return True

    def _read_one_by_one(self, header: _Header, payload: Buffer) -> Generator[Any, None, bool]:
        """Read what aiokafka's parser refused or must not get. Records that it delivered already are left out."""
        at, count, previous = 0, 0, header.base - 1
        try:
            while at < len(payload) and previous < header.last:
                size, start = read_varint(payload, at)
                at = start + size
                if size < 0 or at > len(payload):
                    raise BrokenRecord
                record = payload[start:at]
                delta, place = read_varint(record, 1)
                offset_delta, place = read_varint(record, place)
                if not previous < header.base + offset_delta <= header.last:
                    raise BrokenRecord
                previous, count = header.base + offset_delta, count + 1
                if previous >= self.next_fetch_offset:
                    if PartitionRecords.headers_left <= 0:
                        return False
                    self.next_fetch_offset = previous
                    by_broker = header.attributes & _APPEND_TIME_BIT
                    yield self._parsed(
                        record, place, header.max_timestamp if by_broker else header.first_timestamp + delta
                    )
        except (BrokenRecord, IndexError):
            yield self._stand_in(header.last, "the records of the batch do not fit their lengths or offsets")
        else:
            if count < header.records and previous < header.last:
                yield self._stand_in(header.last, f"the batch announces {header.records} records and has {count}")
        return True

    def _delivered(self, record: Any) -> Any:
        """The record at `next_fetch_offset`, as aiokafka's parser returned it."""
        if _is_too_large(record.key, record.value, record.headers):
            return self._stand_in(record.offset, _TOO_LARGE)
        self.next_fetch_offset = record.offset + 1
        return self._consumer_record(self._tp, record)

    def _parsed(self, record: Buffer, at: int, timestamp: int) -> Any:
        """The record at `next_fetch_offset`, whose key begins at `at`."""
        if len(record) > MAX_RECORD_BYTES + _LENGTHS_BYTES:
            return self._stand_in(self.next_fetch_offset, _TOO_LARGE)
        try:
            key, value, headers, unreadable = read_fields(record, at, MAX_RECORD_BYTES // HEADER_BYTES)
        except TooManyHeaders:
            return self._stand_in(self.next_fetch_offset, _TOO_LARGE)
        except (BrokenRecord, IndexError):
            return self._stand_in(self.next_fetch_offset, "the fields of the record do not fit its length")
        if _is_too_large(key, value, headers):
            return self._stand_in(self.next_fetch_offset, _TOO_LARGE)
        self.next_fetch_offset += 1
        return self._made(self.next_fetch_offset - 1, timestamp, key, value, headers, unreadable)

    def _read_legacy(self, data: bytes, magic: int) -> Iterator[Any]:
        """Formats 0 and 1, which producers wrote before Kafka 0.11."""
        last = _FRAME.unpack_from(data)[0]
        try:
            batch = LegacyRecordBatch(data, magic)
            if not batch.validate_crc():
                raise BrokenBatch("its checksum is wrong")
            if codec := data[_LEGACY_ATTRIBUTES_AT] & _CODEC_BITS:  # aiokafka would decompress it without a bound
                PartitionRecords.bytes_left -= len(decompress(codec, _legacy_value(data, _LEGACY_KEY_AT[magic])))
            for record in batch:
                if self.next_fetch_offset <= record.offset <= last:
                    self.next_fetch_offset = record.offset
                    yield self._delivered(record)
        except Exception as error:  # noqa: BLE001 - the parser raises whatever it comes upon
            yield self._stand_in(last, f"the record batch of format {magic} cannot be read: {error}")
        self.next_fetch_offset = max(self.next_fetch_offset, last + 1)

    def _stand_in(self, last: int, reason: str) -> Any:
        """A record without content, for the offsets from `next_fetch_offset` to `last`, at least one."""
        first = self.next_fetch_offset
        last = max(first, last)
        self.next_fetch_offset = last + 1
        return self._made(first, -1, None, None, (), Unreadable(reason, last))

    def _made(
        self,
        offset: int,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        unreadable: Unreadable | None,
    ) -> Any:
        sizes = (len(key or b""), len(value or b""))
        place = (self._tp.topic, self._tp.partition, offset)
        return ConsumerRecord(*place, timestamp, 0, key, value, unreadable, *sizes, headers)


def _is_too_large(key: bytes | None, value: bytes | None, headers: Headers) -> bool:
    """Whether a record that was read takes too much memory. Counts its headers."""
    PartitionRecords.headers_left -= len(headers)
    return record_bytes(key, value, headers) > MAX_RECORD_BYTES


def _whole_batch(data: bytes, at: int) -> bytes | None:
    """The batch that begins at `at`; None if the data ends before it does, or its length cannot be right."""
    if len(data) - at < _SMALLEST:
        return None
    length: int = _FRAME.unpack_from(data, at)[1]
    end = at + _FRAME.size + length
    return data[at:end] if at + _SMALLEST <= end <= len(data) else None


def _legacy_value(data: bytes, at: int) -> Buffer:
    (key_size,) = struct.unpack_from(">i", data, at)
    at += 4 + max(0, key_size)
    (size,) = struct.unpack_from(">i", data, at)
    return memoryview(data)[at + 4 : at + 4 + max(0, size)]
