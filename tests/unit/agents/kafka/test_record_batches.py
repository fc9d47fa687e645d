"""Every kind of record batch that cannot be read, through the parser that the worker's fetcher uses."""

import gzip
import random
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import cramjam
import pytest
from aiokafka.codec import snappy_encode  # type: ignore[import-untyped]
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder  # type: ignore[import-untyped]
from aiokafka.structs import TopicPartition  # type: ignore[import-untyped]

from sluicegate.agents.kafka.decompression import MAX_BATCH_BYTES, BrokenBatch, decompress
from sluicegate.agents.kafka.record import Unreadable
from sluicegate.agents.kafka.record_batches import (
    MAX_POLL_HEADERS,
    MAX_RECORD_BYTES,
    FetchedBytes,
    PartitionRecords,
)
from sluicegate.agents.kafka.record_fields import HEADER_BYTES
from tests.support.raw_batches import RawRecord, batch, encoded, field, varint

TOPIC = TopicPartition("queries.raw", 0)
GOOD = [RawRecord(b"key", b"one", [(b"name", b"1")]), RawRecord(None, b"two"), RawRecord(b"", None)]
CONTROL, TRANSACTIONAL = 0x20, 0x10

COMPRESS: dict[int, Callable[[bytes], bytes]] = {
    1: gzip.compress,
    2: snappy_encode,
    3: lambda data: bytes(cramjam.lz4.compress(data)),
    4: lambda data: bytes(cramjam.zstd.compress(data)),
}


@pytest.fixture(autouse=True)
def _new_poll() -> None:
    PartitionRecords.begin_poll()


def reader(data: bytes, start: int = 0, aborted: list[tuple[int, int]] | None = None) -> Any:
    return PartitionRecords(TOPIC, FetchedBytes(data), aborted, start, None, None, True, 1)


def read(data: bytes, start: int = 0) -> list[Any]:
    """All records, each with a later offset than the one before, and none left out at the end."""
    records = list(reader(data, start))
    offsets = [record.offset for record in records]
    assert offsets == sorted(set(offsets))
    return records


def outline(records: list[Any]) -> list[tuple[int, Any]]:
    """Offsets with values; for an unreadable record, with the last offset that it stands for."""
    return [
        (record.offset, record.checksum.last_offset if isinstance(record.checksum, Unreadable) else record.value)
        for record in records
    ]


def test_a_good_batch_is_read_as_it_was_written() -> None:
    first, second, third = read(batch(GOOD, base=5, timestamp=1_700_000_000_000))
    assert (first.offset, first.key, first.value, first.headers) == (5, b"key", b"one", (("name", b"1"),))
    assert (second.key, second.value, third.key, third.value) == (None, b"two", b"", None)
    assert first.timestamp == 1_700_000_000_000
    assert {record.checksum for record in (first, second, third)} == {None}


@pytest.mark.parametrize("codec", COMPRESS)
def test_every_codec_is_read(codec: int) -> None:
    records = read(batch(GOOD, codec=codec, payload=COMPRESS[codec](encoded(GOOD))))
    assert outline(records) == [(0, b"one"), (1, b"two"), (2, None)]


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a\xed\xa0\x80", b"\xc3", bytes(range(256))])
def test_a_header_name_of_any_bytes_is_kept_and_the_records_around_it_are_read(name: bytes) -> None:
    records = read(
        batch(
            [GOOD[0], RawRecord(b"k", b"v", [(b"good", None), (name, b"\xff")]), GOOD[1]], timestamp=1_700_000_000_000
        )
    )
    assert [record.value for record in records] == [b"one", b"v", b"two"]
    [_, bad, _] = records
    assert bad.checksum == Unreadable("the name of a record header is not UTF-8")
    assert [(name.encode(errors="surrogateescape"), value) for name, value in bad.headers] == [
        (b"good", None),
        (name, b"\xff"),
    ]
    assert (bad.key, bad.timestamp) == (b"k", 1_700_000_000_000)


def test_a_header_without_a_name_leaves_key_and_value_readable() -> None:
    [record] = read(batch([RawRecord(b"k", b"v", [(None, b"1")])]))
    assert (record.value, record.headers) == (b"v", (("", b"1"),))
    assert record.checksum == Unreadable("a record header has no name")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff" * 20,
        varint(1000) + b"short",
        varint(2**62) + b"short",
        field(b"k") + field(b"v") + varint(-1),
        field(b"k") + field(b"v") + varint(2**40),
        field(b"k") + field(b"v") + varint(1) + field(b"name"),
        field(b"k") + field(b"v") + varint(0) + b"more",
    ],
)
def test_of_a_batch_only_the_record_whose_fields_do_not_fit_is_unreadable(body: bytes) -> None:
    records = read(batch([GOOD[0], RawRecord(body=body), GOOD[1]]))
    assert outline(records) == [(0, b"one"), (1, 1), (2, b"two")]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (batch(GOOD, crc=1), "checksum"),
        (batch(GOOD, codec=5), "unknown compression codec (5)"),
        (batch(GOOD, codec=7), "unknown compression codec (7)"),
        *((batch(GOOD, codec=codec, payload=b"\x01" * 40), "compressed data") for codec in COMPRESS),
        (batch(GOOD, payload=varint(2**31) + b"x"), "lengths or offsets"),
        (batch(GOOD, payload=b""), "announces 3 records and has 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "batch",  # a batch contains the time of its making
)
def test_a_batch_that_cannot_be_read_is_one_record_for_all_of_its_offsets(raw: bytes, reason: str) -> None:
    behind = batch([GOOD[1]], base=3)
    bad, good = read(raw + behind)
    assert outline([bad, good]) == [(0, 2), (3, b"two")]
    assert reason in bad.checksum.reason
    assert (bad.key, bad.value, bad.headers) == (None, None, ())


@pytest.mark.parametrize("codec", COMPRESS)
def test_a_batch_that_unpacks_beyond_the_bound_is_not_unpacked(codec: int) -> None:
    bomb = [RawRecord(None, bytes(MAX_BATCH_BYTES))]
    [record] = read(batch(bomb, codec=codec, payload=COMPRESS[codec](encoded(bomb))))
    assert "unpacks to more than 16 MiB" in record.checksum.reason
    fits = [RawRecord(None, bytes(MAX_RECORD_BYTES))] * 15
    records = read(batch(fits, codec=codec, payload=COMPRESS[codec](encoded(fits))))
    assert [len(record.value) for record in records] == [MAX_RECORD_BYTES] * 15


@pytest.mark.parametrize("name", [b"name", b"\xff"])
def test_of_a_batch_only_the_record_beyond_the_bound_is_unreadable(name: bytes) -> None:
    third = MAX_RECORD_BYTES // 3
    fits = RawRecord(bytes(third), bytes(third), [(name, bytes(third - HEADER_BYTES - 10))])
    larger = RawRecord(bytes(third), bytes(third), [(name, bytes(third + 10))])
    records = read(batch([GOOD[0], larger, fits]))
    assert [record.checksum.last_offset if record.checksum else None for record in records[:2]] == [None, 1]
    assert "larger than 1 MiB" in records[1].checksum.reason
    assert len(records[2].value) == third


def with_headers(count: int, name: bytes = b"") -> RawRecord:
    """A record with `count` headers that take two bytes each."""
    return RawRecord(body=field(None) + field(b"value") + varint(count) + (field(name) + field(None)) * count)


@pytest.mark.parametrize("beside", [[], [RawRecord(None, bytes(MAX_RECORD_BYTES - 1000))]], ids=["small", "large"])
def test_empty_headers_count_for_what_they_take_in_memory(beside: list[RawRecord]) -> None:
    most = MAX_RECORD_BYTES // HEADER_BYTES
    read_ = read(batch([with_headers(most - 1), with_headers(most + 1), GOOD[0], *beside]))
    assert len(read_[0].headers) == most - 1
    assert "larger than 1 MiB" in read_[1].checksum.reason
    assert read_[2].value == b"one"


def test_a_record_of_millions_of_headers_is_refused_without_making_them() -> None:
    records = [GOOD[0], with_headers(4_000_000), GOOD[1]]
    tracemalloc.start()
    try:
        read_ = read(batch(records, codec=4, payload=COMPRESS[4](encoded(records))))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [record.value for record in read_] == [b"one", None, b"two"]
    assert "larger than 1 MiB" in read_[1].checksum.reason
    assert peak < 4 * MAX_BATCH_BYTES


@pytest.mark.parametrize("name", [b"name", b"\xff"])
def test_a_poll_stops_at_its_bound_of_headers_and_goes_on_where_it_stopped(name: bytes) -> None:
    raw = batch([with_headers(5000, name)] * 50)
    offsets: list[int] = []
    polls = 0
    while len(offsets) < 50:
        PartitionRecords.begin_poll()
        found = list(reader(raw, start=len(offsets)))
        assert sum(len(record.headers) for record in found) <= MAX_POLL_HEADERS + 5000
        offsets += [record.offset for record in found]
        polls += 1
    assert offsets == list(range(50))
    assert polls == 3


def test_raw_snappy_is_read_and_blocks_of_wrong_lengths_are_refused() -> None:
    assert decompress(2, bytes(cramjam.snappy.compress_raw(b"abc"))) == b"abc"
    blocks = snappy_encode(b"abc")
    for broken in (blocks[:-1], blocks + b"\x00", blocks + b"\x00\x00\x00\x00", blocks + b"\xff\xff\xff\xff"):
        with pytest.raises(BrokenBatch):
            decompress(2, broken)


@pytest.mark.parametrize("magic", [3, 17, 127])
def test_batches_of_an_unknown_format_are_unreadable_one_offset_at_a_time(magic: int) -> None:
    raw = batch(GOOD, magic=magic)
    [record] = read(raw)
    assert outline([record]) == [(0, 0)]
    [record] = read(raw, start=1)
    assert outline([record]) == [(1, 1)]


@pytest.mark.parametrize("length", [-1, 0, 5, 2**31 - 1, -(2**31)])
def test_after_a_wrong_length_of_the_first_batch_one_offset_is_unreadable(length: int) -> None:
    raw = bytearray(batch(GOOD, base=4))
    raw[8:12] = (length & 0xFFFFFFFF).to_bytes(4, "big")
    records = read(bytes(raw), start=4)
    assert outline(records) == [(4, 4)]


def test_a_partial_batch_at_the_end_is_left_for_the_next_fetch() -> None:
    whole, partial = batch([GOOD[0]]), batch(GOOD, base=1)
    for cut in (1, 11, 30, len(partial) - 1):
        records = reader(whole + partial[:cut])
        assert outline(list(records)) == [(0, b"one")]
        assert records.next_fetch_offset == 1


def test_of_a_batch_that_ends_before_it_begins_the_first_offset_is_unreadable() -> None:
    raw = batch(GOOD, base=5, last_delta=-3)
    assert outline(read(raw, start=5)) == [(5, 5)]
    assert outline(read(raw + batch([GOOD[1]], base=6), start=5)) == [(5, 5), (6, b"two")]
    assert outline(read(raw + batch([GOOD[1]], base=5), start=5)) == [(5, b"two")]


def test_the_end_of_a_damaged_batch_is_believed_only_if_it_is_confirmed() -> None:
    declared = batch(GOOD, crc=1, last_delta=2**30)  # while the count is 3
    assert outline(read(declared)) == [(0, 0)]
    beyond_the_next = batch(GOOD, crc=1, last_delta=999, count=1000)
    assert outline(read(beyond_the_next + batch([GOOD[1]], base=1))) == [(0, 0), (1, b"two")]


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        ((0, 0, 1), [(0, b"0"), (1, 2)]),
        ((2, 1, 0), [(2, b"0")]),
        ((0, 2**30, 2), [(0, b"0"), (1, 2)]),
        ((-1, 0, 1), [(0, 2)]),
        ((0, 2), [(0, b"0"), (2, b"1")]),  # as compaction leaves it
    ],
)
def test_offsets_outside_their_batch_or_out_of_order_never_move_the_position_wrongly(
    deltas: tuple[int, ...], expected: list[tuple[int, Any]]
) -> None:
    records = [RawRecord(None, b"%d" % number, offset_delta=delta) for number, delta in enumerate(deltas)]
    reading = reader(batch(records, last_delta=2))
    assert outline(list(reading)) == expected
    assert reading.next_fetch_offset == 3


def test_a_fetch_that_begins_within_a_batch_reads_the_rest_even_if_an_earlier_record_is_broken() -> None:
    raw = batch([RawRecord(body=b"\xff"), GOOD[0], GOOD[1]])
    assert outline(read(raw, start=1)) == [(1, b"one"), (2, b"two")]


def test_timestamps_out_of_range_are_passed_on() -> None:
    for timestamp in (2**63 - 1, -(2**63), -1):
        [record] = read(batch([RawRecord(None, b"v")], timestamp=timestamp))
        assert record.timestamp == timestamp


def test_control_batches_of_any_content_are_skipped_and_end_their_transaction() -> None:
    aborted = batch([GOOD[0]], attributes=TRANSACTIONAL, producer_id=7)
    marker = batch([RawRecord(b"junk", b"")], base=1, attributes=TRANSACTIONAL | CONTROL, producer_id=7)
    committed = batch([GOOD[1]], base=2, attributes=TRANSACTIONAL, producer_id=7)
    assert outline(list(reader(aborted + marker + committed, aborted=[(7, 0)]))) == [(2, b"two")]


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [0, 1, 2])
def test_old_formats_are_read_and_broken_records_of_them_are_unreadable(magic: int, codec: int) -> None:
    builder = LegacyRecordBatchBuilder(magic=magic, compression_type=codec, batch_size=10_000)
    builder.append(0, 1_000, b"k", b"value" * 50)
    raw = bytes(builder.build())
    [record] = read(raw)
    assert record.value == b"value" * 50
    broken = bytearray(raw)
    broken[-1] ^= 0xFF
    [record] = read(bytes(broken))
    assert record.checksum.last_offset == 0


def test_a_bomb_of_an_old_format_is_not_unpacked() -> None:
    builder = LegacyRecordBatchBuilder(magic=1, compression_type=1, batch_size=MAX_BATCH_BYTES * 2)
    builder.append(0, 1_000, None, bytes(MAX_BATCH_BYTES))
    [record] = read(bytes(builder.build()))
    assert "unpacks to more than 16 MiB" in record.checksum.reason


def test_a_poll_stops_at_its_bound_and_the_next_one_continues() -> None:
    value = [RawRecord(None, bytes(MAX_BATCH_BYTES // 2))]
    packed = COMPRESS[4](encoded(value))
    batches = [batch(value, codec=4, payload=packed, base=base) for base in range(12)]
    read_so_far: list[int] = []
    for _ in range(3):
        PartitionRecords.begin_poll()
        start = len(read_so_far)
        read_so_far += [record.offset for record in reader(b"".join(batches[start:]), start=start)]
        assert len(read_so_far) - start == 4
    assert read_so_far == list(range(12))


def mutations(seed: int, count: int) -> Iterator[bytes]:
    rng = random.Random(seed)
    for _ in range(count):
        records = [RawRecord(rng.randbytes(3), rng.randbytes(9), [(rng.randbytes(2), None)]) for _ in range(3)]
        payload = bytearray(encoded(records))
        for _ in range(rng.randint(0, 4)):
            payload[rng.randrange(len(payload))] = rng.randrange(256)
        codec = rng.choice((0, 0, 0, 1, 2, 3, 4))
        packed = bytearray(COMPRESS[codec](bytes(payload)) if codec else payload)
        if codec and rng.random() < 0.5:
            packed[rng.randrange(len(packed))] = rng.randrange(256)
        yield batch(records, codec=codec, payload=bytes(packed))


def test_random_damage_never_raises_and_never_stops_or_rewinds_the_reading() -> None:
    behind = batch([GOOD[1]], base=3)
    for raw in mutations(seed=1, count=3_000):
        PartitionRecords.begin_poll()
        records = read(raw + behind)
        assert records[-1].value == b"two"
        covered = {
            offset
            for record in records
            for offset in range(record.offset, (getattr(record.checksum, "last_offset", None) or record.offset) + 1)
        }
        assert covered <= {0, 1, 2, 3}


def test_random_bytes_never_raise_and_always_move_the_position() -> None:
    rng = random.Random(2)
    for _ in range(3_000):
        data = bytearray(batch(GOOD) + batch(GOOD, base=3))
        for _ in range(rng.randint(1, 20)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        PartitionRecords.begin_poll()
        reading = reader(bytes(data), start=0)
        for record in reading:
            assert record.offset >= 0
        assert reading.next_fetch_offset > 0
