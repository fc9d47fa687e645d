"""What a source delivers, and which acks reach the consumer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from faust.types import TP, ConsumerMessage

from sluicegate.agents.kafka.record import Unreadable
from sluicegate.agents.kafka.source import Delivery, RecordSource, Subscription
from sluicegate.agents.settings import load_settings

PARTITION = TP("queries.raw", 0)


def message(offset: int, *, generation: int = 1, **fields: Any) -> Any:
    content: dict[str, Any] = {
        "timestamp": 1.5,
        "headers": (),
        "key": b"key",
        "value": b"value",
        "checksum": None,
    } | fields
    return ConsumerMessage(*PARTITION, offset, timestamp_type=0, tp=PARTITION, generation_id=generation, **content)


class Event:
    def __init__(self, message: Any) -> None:
        self.message = message


class Stream:
    """As much of Faust's stream as the source uses."""

    def __init__(self, messages: list[Any]) -> None:
        self._messages = messages

    def noack(self) -> "Stream":
        return self

    async def events(self) -> AsyncIterator[Event]:
        for one in self._messages:
            yield Event(one)


@pytest.fixture
def source() -> RecordSource:
    source = RecordSource(load_settings(), Subscription("queries.raw", "group", window=256))
    source.app.consumer_generation_id = 1
    return source


async def deliveries(source: RecordSource, *messages: Any) -> list[Delivery]:
    return [delivery async for delivery in source._deliveries(Stream(list(messages)), asyncio.Event())]


def completed(source: RecordSource) -> int | None:
    offset: int | None = source.app.consumer._completed_to.get(PARTITION)
    return offset


async def test_a_delivery_has_the_record_as_it_was_published(source: RecordSource) -> None:
    [delivery] = await deliveries(source, message(7, headers=(("a", b"1"), ("a", None))))
    record = delivery.record
    assert (record.topic, record.partition, record.offset) == ("queries.raw", 0, 7)
    assert (record.key, record.value, record.headers) == (b"key", b"value", (("a", b"1"), ("a", None)))
    assert (record.timestamp.timestamp(), record.unreadable) == (1.5, None)


async def test_a_record_that_could_not_be_read_says_why(source: RecordSource) -> None:
    unreadable = Unreadable("the checksum is wrong", 9)
    [delivery] = await deliveries(source, message(7, checksum=unreadable, value=None, timestamp=-1))
    assert delivery.record.unreadable == unreadable
    assert (await deliveries(source, message(10, checksum=12345)))[0].record.unreadable is None  # of an old format


@pytest.mark.parametrize("timestamp", [None, -1.0, 1e30, float("nan"), float("inf")])
async def test_an_invalid_timestamp_becomes_the_time_of_reading(source: RecordSource, timestamp: Any) -> None:
    [delivery] = await deliveries(source, message(0, timestamp=timestamp))
    assert delivery.record.timestamp.year > 2000


async def test_a_record_is_completed_when_all_before_it_are_acked(source: RecordSource) -> None:
    first, second = await deliveries(source, message(3), message(8))
    second.ack()
    assert completed(source) is None
    first.ack()
    assert completed(source) == 9
    assert source.in_flight == 0


async def test_only_records_of_the_present_assignment_are_completed(source: RecordSource) -> None:
    old, new = await deliveries(source, message(3), message(4, generation=2))
    source.app.consumer_generation_id = 2
    old.ack()
    assert completed(source) is None
    new.ack()
    assert completed(source) == 5


async def test_once_a_record_has_no_outcome_no_later_one_is_completed(source: RecordSource) -> None:
    before, in_flight = await deliveries(source, message(1), message(2))
    before.ack()
    await source.stop_without_acking(RuntimeError("no outcome"))
    in_flight.ack()
    [after] = await deliveries(source, message(3))
    after.ack()
    assert completed(source) == 2
    assert source.crashed
