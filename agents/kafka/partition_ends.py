"""Where the partitions of a worker end, asked for once a second.

aiokafka learns it only when it fetches, and it does not fetch a partition whose records wait to be consumed: a worker
whose model hangs would not see its lag grow. A broker that is asked and does not answer leaves an age, so that nobody
takes an old number for a new one.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple

from aiokafka.consumer.fetcher import OffsetResetStrategy  # type: ignore[import-untyped]
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]
from aiokafka.structs import TopicPartition  # type: ignore[import-untyped]

ASK_EVERY_S: Final = 1.0

AskLeader = Callable[[int, dict[str, list[tuple[int, int]]]], Awaitable[dict[Any, tuple[int, int | None]]]]
"""Asks a broker, by its number, for offsets of partitions by topic: `(partition, -1)` for the end."""


class PartitionEnd(NamedTuple):
    """The offset behind a partition's last record that may be read, and when Kafka said so, on the monotonic clock."""

    offset: int
    at: float


class PartitionEnds:
    """`follow` runs on the loop of aiokafka's consumer; any thread may read `of`."""

    def __init__(self, assigned: Callable[[], Iterable[Any]], leader_of: Callable[[Any], int | None], ask: AskLeader):
        """`leader_of` a partition is None or negative while there is none."""
        self._assigned = assigned
        self._leader_of = leader_of
        self._ask = ask
        self._known: dict[TopicPartition, PartitionEnd] = {}

    def of(self, partition: Any) -> PartitionEnd | None:
        """What is known of a partition; None before Kafka has said anything about it."""
        return self._known.get(TopicPartition(*partition))

    async def follow(self) -> None:
        """Ask again and again. A broker that does not answer does not keep the others from being asked.

        Does not return.
        """
        asking: dict[int, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                for leader, partitions in self._by_leader().items():
                    if leader not in asking or asking[leader].done():
                        asking[leader] = tasks.create_task(self._learn(leader, partitions), name="partition ends")
                await asyncio.sleep(ASK_EVERY_S)

    def _by_leader(self) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = defaultdict(list)
        for partition in self._assigned():
            leader = self._leader_of(partition)
            if leader is not None and leader >= 0:
                found[leader].append(partition)
        return found

    async def _learn(self, leader: int, partitions: Iterable[Any]) -> None:
        by_topic: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for partition in partitions:
            by_topic[partition.topic].append((partition.partition, OffsetResetStrategy.LATEST))
        try:
            offsets = await self._ask(leader, by_topic)
        except KafkaError:  # asked again in a second; aiokafka looks for the leader by itself
            return
        now = time.monotonic()
        self._known |= {partition: PartitionEnd(offset, now) for partition, (offset, _) in offsets.items()}
