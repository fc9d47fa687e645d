import asyncio
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import TypeAlias

import pytest
from aiokafka.partitioner import murmur2  # type: ignore[import-untyped] # it ships no types

from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.publisher import MAX_MESSAGE_BYTES, Delivered, Publisher
from sluicegate.schemas.errors import PublishFailed
from tests.support.brokers import Broker, TopicMaker
from tests.support.kafka_client import consume_all, end_offsets

NOBODY = "127.0.0.1:1"

Librdkafka: TypeAlias = Mapping[str, str | float] | None
Start: TypeAlias = Callable[..., Awaitable[Publisher]]


def publisher_to(
    servers: str,
    librdkafka: Librdkafka = None,
    *,
    delivery_timeout_s: float = 15,
    flush_timeout_s: float = 1,
) -> Publisher:
    return Publisher(
        Connection.plaintext(servers),
        delivery_timeout_s=delivery_timeout_s,
        flush_timeout_s=flush_timeout_s,
        extra=librdkafka,
    )


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts publishers, with librdkafka settings if need be, and closes them after the test."""
    async with AsyncExitStack() as running:

        async def start(
            servers: str, librdkafka: Mapping[str, str | float] | None = None, **options: float
        ) -> Publisher:
            return await running.enter_async_context(publisher_to(servers, librdkafka, **options))

        yield start


async def test_5000_publishes_are_acknowledged_where_the_records_are_and_in_order(
    broker: Broker, topics: TopicMaker, start: Start
) -> None:
    topic = topics("many", partitions=4)
    publisher = await start(broker.bootstrap_servers)

    delivered = await asyncio.gather(
        *(publisher.publish(topic, b"%d" % n, key=b"key-%d" % (n % 50), headers=[]) for n in range(5000))
    )

    assert publisher.outstanding == 0
    messages = await asyncio.to_thread(consume_all, broker.bootstrap_servers, [topic], lambda got: len(got) >= 5000)
    found = {Delivered(m.topic() or "", m.partition() or 0, m.offset() or 0): m.value() for m in messages}
    assert found == {position: b"%d" % n for n, position in enumerate(delivered)}
    by_key = defaultdict(list)
    for message in messages:
        by_key[message.key()].append(int(message.value() or b""))
    assert len(by_key) == 50
    assert all(values == sorted(values) for values in by_key.values())


async def test_a_key_goes_to_the_partition_that_java_clients_choose(
    broker: Broker, topics: TopicMaker, start: Start
) -> None:
    topic = topics("keyed", partitions=4)
    publisher = await start(broker.bootstrap_servers)
    for key in (b"user-1", b"user-2", "kāvi".encode(), b"\x00\xff"):
        delivered = await publisher.publish(topic, b"", key=key, headers=[])
        assert delivered.partition == (murmur2(key) & 0x7FFFFFFF) % 4


async def test_headers_and_missing_keys_and_values_arrive_as_they_were(
    broker: Broker, topics: TopicMaker, start: Start
) -> None:
    topic = topics("headers", partitions=1)
    publisher = await start(broker.bootstrap_servers)
    headers = [("traceparent", b"00-a-b-01"), ("empty", b""), ("none", None), ("twice", b"\xff\x00"), ("twice", b"2")]

    await publisher.publish(topic, None, key=None, headers=headers)
    await publisher.publish(topic, b"", key=b"", headers=[])

    first, second = await asyncio.to_thread(
        consume_all, broker.bootstrap_servers, [topic], lambda messages: len(messages) >= 2
    )
    assert (first.key(), first.value(), first.headers()) == (None, None, headers)
    assert (second.key(), second.value(), second.headers()) == (b"", b"", None)


@pytest.mark.parametrize("size", [5_000, MAX_MESSAGE_BYTES], ids=["the topic's limit", "the client's limit"])
async def test_a_record_too_large_fails_with_its_size_and_the_next_ones_go(
    broker: Broker, topics: TopicMaker, start: Start, size: int
) -> None:
    topic = topics("small", partitions=1, config={"max.message.bytes": "2000"})
    publisher = await start(broker.bootstrap_servers)

    with pytest.raises(PublishFailed, match=f"cannot publish {size} bytes to {topic}: .*max.message.bytes") as error:
        await publisher.publish(topic, os.urandom(size), key=None, headers=[])

    assert "\n" not in str(error.value)
    assert (await publisher.publish(topic, b"fits", key=None, headers=[])).offset == 0
    assert publisher.fatal is None
    assert publisher.outstanding == 0


async def test_a_missing_topic_is_named_with_the_remedy(broker: Broker, start: Start) -> None:
    if broker.kind == "embedded":
        pytest.skip("the embedded broker makes missing topics")
    publisher = await start(broker.bootstrap_servers)
    with pytest.raises(PublishFailed, match=r"to never-made: .*`sluice topics create`"):
        await publisher.publish("never-made", b"value", key=None, headers=[])


async def test_publishes_wait_for_space_in_a_full_queue_in_the_order_of_their_calls(
    broker: Broker, topics: TopicMaker, start: Start
) -> None:
    topic = topics("narrow", partitions=1)
    publisher = await start(broker.bootstrap_servers, {"queue.buffering.max.messages": 10})

    async def twice() -> tuple[int, int]:
        first = await publisher.publish(topic, b"v", key=None, headers=[])
        second = await publisher.publish(topic, b"v", key=None, headers=[])
        return first.offset, second.offset

    tasks = [asyncio.create_task(twice()) for _ in range(200)]
    await asyncio.sleep(0)  # every task has run once

    assert publisher.outstanding == 10
    firsts, seconds = zip(*await asyncio.gather(*tasks), strict=True)
    assert list(firsts) == list(range(200)), "a later publish overtook one that waited"
    assert sorted(seconds) == list(range(200, 400))


async def test_a_cancelled_publish_disturbs_no_other(broker: Broker, topics: TopicMaker, start: Start) -> None:
    topic = topics("cancelled", partitions=1)
    publisher = await start(broker.bootstrap_servers, {"queue.buffering.max.messages": 10})
    publishes = [publisher.publish(topic, b"v", key=None, headers=[]) for _ in range(60)]
    await asyncio.sleep(0)

    for cancelled in publishes[::3]:  # among them: handed over, first in the wait for room, behind it
        cancelled.cancel()
    outcomes = await asyncio.gather(*publishes, return_exceptions=True)

    assert [isinstance(outcome, Delivered) for outcome in outcomes] == [n % 3 != 0 for n in range(60)]
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[::3])
    ends = await asyncio.to_thread(end_offsets, broker.bootstrap_servers, topic)
    assert ends == {0: 44}  # 40, and the 4 that were handed over before they were cancelled


async def test_closing_waits_for_outstanding_publishes(broker: Broker, topics: TopicMaker) -> None:
    topic = topics("flushed")
    async with publisher_to(broker.bootstrap_servers, {"linger.ms": 200}, flush_timeout_s=10) as publisher:
        publishes = [publisher.publish(topic, b"v", key=None, headers=[]) for _ in range(100)]

    assert publisher.outstanding == 0
    assert {type(outcome) for outcome in await asyncio.gather(*publishes)} == {Delivered}
    with pytest.raises(PublishFailed, match="closed"):
        await publisher.publish(topic, b"v", key=None, headers=[])


async def test_closing_fails_whatever_the_broker_has_not_acknowledged() -> None:
    async with publisher_to(NOBODY, {"queue.buffering.max.messages": 10}, flush_timeout_s=0.2) as publisher:
        publishes = [publisher.publish("any", b"v", key=None, headers=[]) for _ in range(30)]
        await asyncio.sleep(0)
        started = time.monotonic()

    assert time.monotonic() - started < 3
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*publishes, return_exceptions=True)
    assert all(isinstance(outcome, PublishFailed) for outcome in outcomes)
    assert publisher.outstanding == 0


async def test_without_a_broker_a_publish_fails_at_the_delivery_timeout(start: Start) -> None:
    publisher = await start(NOBODY, delivery_timeout_s=1)
    started = time.monotonic()
    with pytest.raises(PublishFailed, match=f"cannot publish 1 bytes to any: {NOBODY} did not acknowledge within 1 s"):
        await publisher.publish("any", b"v", key=None, headers=[])
    assert time.monotonic() - started < 4


async def test_a_fatal_error_is_kept_for_the_worker_to_see(broker: Broker, topics: TopicMaker, start: Start) -> None:
    topic = topics("gapless", partitions=1, config={"max.message.bytes": "2000"})
    # With this setting any gap in the sequence is fatal; there is no gentler way to a real fatal error.
    publisher = await start(broker.bootstrap_servers, {"enable.gapless.guarantee": "true"})

    with pytest.raises(PublishFailed):
        await publisher.publish(topic, os.urandom(5_000), key=None, headers=[])
    with pytest.raises(PublishFailed, match="Fatal error; restart the worker"):
        await publisher.publish(topic, b"fits", key=None, headers=[])

    assert publisher.fatal is not None
