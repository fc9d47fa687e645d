"""Reads the fields of a record of Kafka's format 2, and says how much memory they take.

The functions that read raise BrokenRecord or IndexError when the bytes do not fit.
"""

from typing import Final

from sluicegate.agents.kafka.decompression import Buffer
from sluicegate.agents.kafka.record import Headers, Unreadable

HEADER_BYTES: Final = 160
"""What Python needs for a header on top of its name and value. Two bytes of a record can hold an empty header."""


class BrokenRecord(Exception):
    """Lengths that do not fit the bytes that there are."""


class TooManyHeaders(Exception):
    """More headers than the caller takes. None of them was read."""


def record_bytes(key: bytes | None, value: bytes | None, headers: Headers | None) -> int:
    """The memory that a record takes, more or less; never less than its bytes."""
    size = len(key or b"") + len(value or b"")
    if headers:
        size += sum(HEADER_BYTES + len(name) + len(header or b"") for name, header in headers)
    return size


def read_fields(
    record: Buffer, at: int, most_headers: int
) -> tuple[bytes | None, bytes | None, Headers, Unreadable | None]:
    """Key, value and headers, which begin at `at` and fill `record`; and what is wrong with the headers' names.

    Raises:
        TooManyHeaders: there are more than `most_headers`.
    """
    key, at = read_bytes(record, at)
    value, at = read_bytes(record, at)
    count, at = read_varint(record, at)
    if count < 0:
        raise BrokenRecord
    if count > most_headers:
        raise TooManyHeaders
    headers: list[tuple[str, bytes | None]] = []
    unreadable = None
    for _ in range(count):
        name, at = read_bytes(record, at)
        header, at = read_bytes(record, at)
        decoded = (name or b"").decode(errors="surrogateescape")
        if name is None:
            unreadable = Unreadable("a record header has no name")
        elif not decoded.isascii() and any("\ud800" <= letter <= "\udfff" for letter in decoded):
            unreadable = Unreadable("the name of a record header is not UTF-8")
        headers.append((decoded, header))
    if at != len(record):
        raise BrokenRecord
    return key, value, tuple(headers), unreadable


def read_bytes(data: Buffer, at: int) -> tuple[bytes | None, int]:
    """Bytes behind their length, None if that is negative, and the place behind them."""
    size, at = read_varint(data, at)
    if size < 0:
        return None, at
    if at + size > len(data):
        raise BrokenRecord
    return bytes(data[at : at + size]), at + size


def read_varint(data: Buffer, at: int) -> tuple[int, int]:
    """A zigzag-encoded number, and the place behind it."""
    value = shift = 0
    while shift <= 63:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7
    raise BrokenRecord
