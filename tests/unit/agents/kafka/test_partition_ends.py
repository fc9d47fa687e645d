"""Where partitions end is asked for again and again, and an answer that does not come leaves an old number."""

import asyncio
import time
from contextlib import suppress

import pytest
from aiokafka.errors import NodeNotReadyError  # type: ignore[import-untyped]
from aiokafka.structs import TopicPartition  # type: ignore[import-untyped]

from sluicegate.agents.kafka import partition_ends
from sluicegate.agents.kafka.partition_ends import PartitionEnds

FIRST, SECOND, LEADERLESS = (TopicPartition("queries.raw", partition) for partition in range(3))
LEADERS = {FIRST: 1, SECOND: 2, LEADERLESS: -1}


class Brokers:
    """Two brokers whose partitions grow by a record each time that they are asked."""

    def __init__(self) -> None:
        self.ends = dict.fromkeys(LEADERS, 0)
        self.silent: set[int] = set()
        self.refusing: set[int] = set()

    async def ask(
        self, leader: int, by_topic: dict[str, list[tuple[int, int]]]
    ) -> dict[TopicPartition, tuple[int, int | None]]:
        if leader in self.refusing:
            raise NodeNotReadyError
        if leader in self.silent:
            await asyncio.Event().wait()
        asked = [TopicPartition(topic, partition) for topic, pairs in by_topic.items() for partition, _ in pairs]
        for partition in asked:
            self.ends[partition] += 1
        return {partition: (self.ends[partition], None) for partition in asked}


@pytest.mark.parametrize("failure", ["silent", "refusing"])
async def test_a_broker_that_does_not_answer_leaves_an_old_end_and_the_others_are_asked_on(
    failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_ends, "ASK_EVERY_S", 0.001)
    brokers = Brokers()
    ends = PartitionEnds(lambda: LEADERS, LEADERS.get, brokers.ask)
    assert ends.of(FIRST) is None
    following = asyncio.create_task(ends.follow())
    async with asyncio.timeout(10):
        while not (ends.of(FIRST) and ends.of(SECOND)):  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(0.001)
        getattr(brokers, failure).add(2)
        await asyncio.sleep(0.01)
        failed_at, offset = time.monotonic(), brokers.ends[FIRST]
        while brokers.ends[FIRST] < offset + 3:  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(0.001)
    first, second = ends.of(FIRST), ends.of(SECOND)
    assert first
    assert second
    assert first.at > failed_at > second.at
    assert ends.of(LEADERLESS) is None
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
