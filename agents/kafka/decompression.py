"""Decompresses record batches, never beyond a bound: a few kilobytes of zstd can hold gigabytes."""

import struct
from collections.abc import Callable
from typing import Any, Final

import cramjam
import numpy as np

MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
"""Of one batch, decompressed. Kafka's default limit is 1 MB for a compressed batch; JSON shrinks to a tenth or so."""

Buffer = bytes | memoryview

_XERIAL: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES: Final = 16


class BrokenBatch(Exception):
    """Bytes that cannot be read. The message says why."""


def decompress(codec: int, packed: Buffer) -> bytes:
    """What `packed` holds, by the number of its codec in Kafka's protocol.

    Raises:
        BrokenBatch: the codec is unknown, the data is broken, or it unpacks to more than MAX_BATCH_BYTES.
    """
    if codec not in _CODECS:
        raise BrokenBatch(f"the record batch has an unknown compression codec ({codec})")
    name, decompress_into = _CODECS[codec]
    buffer = np.empty(MAX_BATCH_BYTES, np.uint8)  # its pages are the kernel's until they are written to
    try:
        size = decompress_into(packed, buffer)
    except (cramjam.DecompressionError, struct.error) as error:
        if "whole buffer" in str(error) or "smaller than required" in str(error):
            raise BrokenBatch(
                f"the record batch unpacks to more than {MAX_BATCH_BYTES >> 20} MiB ({name}): send smaller batches"
            ) from None
        raise BrokenBatch(f"the compressed data of the record batch is broken ({name})") from None
    return buffer[:size].tobytes()


def _snappy_into(packed: Buffer, buffer: Any) -> int:
    """Raw snappy, or the blocks that the Java client writes."""
    if bytes(packed[: len(_XERIAL)]) != _XERIAL:
        return cramjam.snappy.decompress_raw_into(packed, buffer)
    at, size = _XERIAL_HEADER_BYTES, 0
    while at < len(packed):
        (length,) = struct.unpack_from(">I", packed, at)
        at += 4
        size += cramjam.snappy.decompress_raw_into(packed[at : at + length], buffer[size:])
        at += length
    return size


_CODECS: Final[dict[int, tuple[str, Callable[[Buffer, Any], int]]]] = {
    1: ("gzip", cramjam.gzip.decompress_into),
    2: ("snappy", _snappy_into),
    3: ("lz4", cramjam.lz4.decompress_into),
    4: ("zstd", cramjam.zstd.decompress_into),
}
