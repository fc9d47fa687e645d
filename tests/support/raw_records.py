"""Publishes a record whose header names are bytes of any kind: client libraries refuse names that are not UTF-8."""

import socket
import struct
import time
from collections.abc import Sequence

from aiokafka.record.util import calc_crc32c, encode_varint  # type: ignore[import-untyped]  # it ships no types

_PRODUCE = 0
_PRODUCE_VERSION = 3
_LEADER_IS_NOT_YET_KNOWN = (3, 5, 6)
_TIMEOUT_S = 15


def produce_raw(
    bootstrap_servers: str, topic: str, value: bytes, headers: Sequence[tuple[bytes, bytes | None]], partition: int = 0
) -> None:
    """Publish one record to the first of `bootstrap_servers`, which must lead the partition."""
    batch = _batch(value, headers)
    deadline = time.monotonic() + _TIMEOUT_S
    while error := _produce(bootstrap_servers, topic, partition, batch):
        assert error in _LEADER_IS_NOT_YET_KNOWN, f"the broker refuses the batch: error {error}"
        assert time.monotonic() < deadline, "the broker does not lead the partition"
        time.sleep(0.1)


def _produce(bootstrap_servers: str, topic: str, partition: int, batch: bytes) -> int:
    """The broker's error code; 0 when it has the batch."""
    body = (
        struct.pack(">hhiih", -1, -1, 10_000, 1, len(topic))  # no transaction, acks of all, a timeout, one topic
        + topic.encode()
        + struct.pack(">iii", 1, partition, len(batch))
        + batch
    )
    client = b"tests"
    request = struct.pack(">hhih", _PRODUCE, _PRODUCE_VERSION, 1, len(client)) + client + body
    host, port = bootstrap_servers.split(",")[0].rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        answer = connection.makefile("rb")
        (length,) = struct.unpack(">i", answer.read(4))
        said = answer.read(length)
    return int(struct.unpack_from(">h", said, 4 + 4 + 2 + len(topic) + 4 + 4)[0])


def _batch(value: bytes, headers: Sequence[tuple[bytes, bytes | None]]) -> bytes:
    """A batch of format 2 that holds one record."""
    now = time.time_ns() // 1_000_000
    record = b"\0" + _varint(0) + _varint(0) + _varint(-1) + _field(value) + _varint(len(headers))
    for name, content in headers:
        record += _field(name) + (_varint(-1) if content is None else _field(content))
    record = _varint(len(record)) + record
    after_crc = struct.pack(">hiqqqhii", 0, 0, now, now, -1, -1, -1, 1) + record
    after_length = struct.pack(">ibI", -1, 2, calc_crc32c(after_crc)) + after_crc
    return struct.pack(">qi", 0, len(after_length)) + after_length


def _field(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _varint(number: int) -> bytes:
    written = bytearray()
    encode_varint(number, written.append)
    return bytes(written)
