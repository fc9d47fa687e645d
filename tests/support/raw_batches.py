"""Record batches built byte by byte, and a producer that sends them as they are: what no client library would send."""

import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka.record.util import calc_crc32c  # type: ignore[import-untyped]

_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
_CRC_FROM: Final = 21
_PRODUCE: Final = 0
_VERSION: Final = 7
_TIMEOUT_S: Final = 30.0

RawHeader = tuple[bytes | None, bytes | None]


@dataclass(frozen=True)
class RawRecord:
    """One record; a `body` takes the place of key, value and headers."""

    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[RawHeader] = ()
    body: bytes | None = None
    offset_delta: int | None = None
    timestamp_delta: int = 0

    def encoded(self, number: int) -> bytes:
        """Its bytes as the record `number` of a batch."""
        fields = [field(self.key), field(self.value), varint(len(self.headers))]
        fields += [field(name) + field(value) for name, value in self.headers]
        content = b"".join(fields) if self.body is None else self.body
        delta = number if self.offset_delta is None else self.offset_delta
        record = b"\x00" + varint(self.timestamp_delta) + varint(delta) + content
        return varint(len(record)) + record


def batch(
    records: Sequence[RawRecord],
    *,
    payload: bytes | None = None,
    codec: int = 0,
    attributes: int = 0,
    magic: int = 2,
    count: int | None = None,
    last_delta: int | None = None,
    timestamp: int | None = None,
    max_timestamp: int | None = None,
    base: int = 0,
    crc: int | None = None,
    producer_id: int = -1,
) -> bytes:
    """A record batch, published now if there is no `timestamp`: retention deletes what is older than the topic keeps.

    `payload` stands for the records. The caller has compressed it; `codec` only names how.
    """
    timestamp = int(time.time() * 1000) if timestamp is None else timestamp
    body = b"".join(record.encoded(number) for number, record in enumerate(records)) if payload is None else payload
    count = len(records) if count is None else count
    header = [
        *(base, _HEADER.size - 12 + len(body), -1, magic, 0, attributes | codec),
        *(count - 1 if last_delta is None else last_delta, timestamp),
        *(timestamp if max_timestamp is None else max_timestamp, producer_id, -1, -1, count),
    ]
    unsigned = _HEADER.pack(*header) + body
    header[4] = calc_crc32c(unsigned[_CRC_FROM:]) if crc is None else crc
    return _HEADER.pack(*header) + body


def encoded(records: Sequence[RawRecord]) -> bytes:
    """The payload of a batch, to be compressed."""
    return b"".join(record.encoded(number) for number, record in enumerate(records))


def produce(bootstrap_servers: str, topic: str, partition: int, data: bytes) -> int:
    """Send `data` as the records of a partition to the only broker; returns the broker's error code, 0 for none."""
    name = topic.encode()
    body = (
        struct.pack(">hhi", -1, -1, int(_TIMEOUT_S * 1000))  # no transaction; all replicas
        + struct.pack(f">ih{len(name)}s", 1, len(name), name)
        + struct.pack(">iii", 1, partition, len(data))
        + data
    )
    request = struct.pack(">hhih4s", _PRODUCE, _VERSION, 1, 4, b"test") + body
    host, _, port = bootstrap_servers.partition(":")
    with socket.create_connection((host, int(port)), _TIMEOUT_S) as connection, connection.makefile("rb") as answers:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", answers.read(4))
        answer = answers.read(size)
    error: int = struct.unpack_from(">h", answer, 4 + 4 + 2 + len(name) + 4 + 4)[0]
    return error


def field(content: bytes | None) -> bytes:
    """Bytes behind their length."""
    return varint(-1) if content is None else varint(len(content)) + content


def varint(number: int) -> bytes:
    """A zigzag-encoded number of at most 64 bits."""
    number = (number << 1) ^ (number >> 63)
    encoded_ = bytearray()
    while number > 0x7F:
        encoded_.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded_, number])
