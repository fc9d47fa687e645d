"""What a spool holds."""

import zlib
from typing import Literal, NamedTuple, TypeAlias

import msgspec

WhenFull: TypeAlias = Literal["refuse", "drop_oldest"]
"""What becomes of a record for which there is no room: it is refused, or the oldest records make room for it."""

_ROW_BYTES = 64
"""What SQLite adds to the bytes of one record, roughly."""


class SpoolRecord(msgspec.Struct, frozen=True, gc=False):
    """A record for a topic. `id` identifies it there: a second record of the same id and topic is not kept."""

    topic: str
    id: str
    value: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def size(self) -> int:
        """The bytes that it takes on disk, roughly."""
        headers = sum(len(name) + len(value or b"") for name, value in self.headers)
        # The index of ids holds topic and id a second time.
        return len(self.value) + len(self.key or b"") + headers + 2 * (len(self.topic) + len(self.id)) + _ROW_BYTES


class StoredRecord(NamedTuple):
    """A record as it was read from the file. `number` is its place in the order in which records were added."""

    number: int
    record: SpoolRecord
    added_ms: int
    """When it was added: milliseconds since 1970."""
    intact: bool
    """Whether its checksum is right. If not, the disk has damaged it."""


class TopicStatistics(msgspec.Struct, frozen=True, gc=False):
    """What waits for one topic."""

    topic: str
    records: int
    bytes: int
    """Of keys, values, headers and ids, without what SQLite adds."""
    oldest_age_s: float


class SpoolStatistics(msgspec.Struct, frozen=True):
    """What waits in a spool."""

    records: int
    bytes: int
    """That the records take in the file."""
    oldest_age_s: float | None
    """None: it is empty."""
    dropped: int
    """Records that were dropped to make room, since the file was made."""
    topics: list[TopicStatistics]


def checksum(topic: str, record_id: str, key: bytes | None, value: bytes, headers: bytes) -> int:
    """The CRC-32 of a record's parts; each with its length, so that they cannot be confused."""
    parts = (topic.encode(), record_id.encode(), key or b"", value, headers)
    crc = zlib.crc32(b"%d %d %d %d %d %d " % (key is None, *map(len, parts)))
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc
