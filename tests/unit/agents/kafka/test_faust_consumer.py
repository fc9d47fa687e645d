"""What Faust hands over around a seek, with its real consumer but for the connection to a broker."""

import asyncio
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import faust
import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition  # type: ignore[import-untyped]
from faust.transport.drivers import aiokafka
from faust.types import TP

from sluicegate.agents.kafka.faust_consumer import PatchedFaustConsumer, use_patched_consumer

PARTITION = TP("queries.raw", 0)


class Scripted:
    """A consumer whose broker has a log of ten records, some of them committed."""

    def __init__(self, consumer: Any, monkeypatch: pytest.MonkeyPatch, committed: int | None = 2) -> None:
        self.consumer = consumer
        self.committed = committed
        self.position = 5  # where an assignment that is over had come to
        consumer.flow_active = True
        consumer._active_partitions = {PARTITION}
        consumer._expected = {PARTITION: self.position}
        monkeypatch.setattr(consumer, "_getmany", self._fetch)
        monkeypatch.setattr(consumer, "seek_to_committed", self._seek)
        monkeypatch.setattr(consumer, "highwater", lambda _: 10)
        monkeypatch.setattr(consumer, "assignment", lambda: {PARTITION})
        monkeypatch.setattr(consumer._thread, "seek_to_beginning", self._rewind)

    async def _fetch(self, **_: Any) -> dict[TP, Iterator[Any]]:
        offsets, self.position = range(self.position, 10), 10
        return {PARTITION: iter([record(offset) for offset in offsets])}

    async def _seek(self) -> dict[TP, int | None]:
        if self.committed:  # aiokafka leaves the others where they are
            self.position = self.committed
        return {PARTITION: self.committed}

    async def _rewind(self, *partitions: Any) -> None:
        assert partitions == (TopicPartition(*PARTITION),)
        self.position = 0


def record(offset: int) -> Any:
    return ConsumerRecord("queries.raw", 0, offset, 0, 0, b"", b"", None, 0, 0, ())


@pytest.fixture
def app() -> Any:
    return faust.App("test", broker="kafka://127.0.0.1:1", store="memory://")


async def handed_over(scripted: Scripted) -> list[int]:
    """The offsets of two fetches; after the first record of the first one a rebalance resumes, and so seeks."""
    offsets = []
    for _ in range(2):
        async for _, message in scripted.consumer.getmany(timeout=0):
            offsets.append(message.offset)
            if len(offsets) == 1:
                await scripted.consumer.perform_seek()
    return offsets


@pytest.mark.parametrize("committed", [None, 0, 2])
async def test_a_batch_ends_at_a_seek_and_what_was_left_of_it_comes_again(
    app: Any, monkeypatch: pytest.MonkeyPatch, committed: int | None
) -> None:
    use_patched_consumer(app)
    offsets = await handed_over(Scripted(app.consumer, monkeypatch, committed))
    assert offsets == [5, *range(committed or 0, 10)]


async def test_nothing_is_handed_over_until_the_position_of_an_assignment_is_sought(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_patched_consumer(app)
    Scripted(app.consumer, monkeypatch)
    app.consumer._expected.clear()
    assert [message async for message in app.consumer.getmany(timeout=0)] == []
    assert [message.offset async for _, message in app.consumer.getmany(timeout=0)] == list(range(2, 10))


async def test_fausts_own_consumer_goes_on_with_the_batch_beyond_the_position(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert type(app.consumer) is aiokafka.Consumer
    offsets = await handed_over(Scripted(app.consumer, monkeypatch))
    assert offsets[:3] == [5, 6, 7], "Faust was mended: agents/kafka/faust_consumer.py can go"


@dataclass(eq=False)
class Acked:
    """What a consumer looks at of a message."""

    offset: int
    tp: TP = PARTITION
    topic: str = PARTITION.topic
    acked: bool = False


def committable(consumer: Any, log: list[int], acked: list[int], committed: int | None) -> list[int | None]:
    """What four commits in a row would commit of a log of these offsets, of which some are acked."""
    consumer._expected = {PARTITION: committed}
    consumer._committed_offset[PARTITION] = committed
    read = committed
    for offset in log:
        if isinstance(consumer, PatchedFaustConsumer):
            consumer._follow(PARTITION, offset)
        elif read and offset - read > 1:  # as `_drain_messages` does
            asyncio.run(consumer._add_gap(PARTITION, read + 1, offset))
        read = offset
        if offset in acked:
            consumer.ack(Acked(offset))
    offsets = []
    for _ in range(4):
        offset = consumer._new_offset(PARTITION)
        offsets.append(offset)
        if offset is not None and consumer._should_commit(PARTITION, offset):
            consumer._committed_offset[PARTITION] = offset
    return offsets


TRANSACTIONS = [1, 3, 4, 6, 9, 12, 13]


@pytest.mark.parametrize(
    ("log", "acked", "committed", "offset"),
    [
        (TRANSACTIONS, TRANSACTIONS, 1, 14),
        (TRANSACTIONS, [1, 3, 4], 1, 6),  # beyond the gap: nothing is there to be lost
        (TRANSACTIONS, [1, 3, 4, 12, 13], 1, 6),
        (TRANSACTIONS, [3, 4], 1, 1),
        ([0, 7, 8], [0, 7, 8], None, 9),
        ([7, 8], [7, 8], None, 9),
        ([5_000_000_000, 5_000_000_001], [5_000_000_000], 3, 5_000_000_001),
        ([4, 5, 6, 0, 1, 2], [4, 5, 6, 0, 1], 4, 2),  # the topic was made anew
    ],
)
def test_a_commit_goes_through_every_gap_up_to_the_first_event_in_flight(
    app: Any, monkeypatch: pytest.MonkeyPatch, log: list[int], acked: list[int], committed: int | None, offset: int
) -> None:
    use_patched_consumer(app)
    monkeypatch.setattr(app.topics, "acks_enabled_for", lambda _: True)
    assert committable(app.consumer, log, acked, committed)[0] == offset


def test_fausts_own_consumer_commits_one_gap_at_a_time(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.topics, "acks_enabled_for", lambda _: True)
    offsets = committable(app.consumer, TRANSACTIONS, TRANSACTIONS, 1)
    assert offsets[0] != 14, "Faust was mended: agents/kafka/faust_consumer.py can do without"


async def last_commit(app: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What is committed in the end when an event is acked while a commit is under way, and then a last one is made."""
    acked, answer = [1], asyncio.Event()
    committed: list[int] = []

    async def force_commit(*_: Any, **__: Any) -> bool:
        taken = list(acked)
        await answer.wait()
        committed[:] = taken
        return True

    monkeypatch.setattr(app.consumer, "force_commit", force_commit)
    first = asyncio.create_task(app.consumer.commit())
    await asyncio.sleep(0)
    acked.append(2)
    last = asyncio.create_task(app.consumer.commit())
    await asyncio.sleep(0)
    answer.set()
    await asyncio.gather(first, last)
    return committed


async def test_a_commit_that_had_to_wait_commits_what_was_acked_meanwhile(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_patched_consumer(app)
    assert await last_commit(app, monkeypatch) == [1, 2]


async def test_fausts_own_consumer_leaves_it_out(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await last_commit(app, monkeypatch) == [1], "Faust was mended: agents/kafka/faust_consumer.py can do without"


async def test_a_commit_that_does_not_come_through_is_noticed_until_one_does(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_patched_consumer(app)
    consumer, answers = app.consumer, iter([False, True])

    async def from_the_cluster(*_: Any) -> bool:
        await asyncio.sleep(0.01)
        return next(answers)

    monkeypatch.setattr(aiokafka.Consumer, "_commit", from_the_cluster)
    assert consumer.commit_late_s == 0
    first = asyncio.create_task(consumer._commit({PARTITION: 1}))
    await asyncio.sleep(0.005)
    assert consumer.commit_late_s > 0
    await first
    late_s = consumer.commit_late_s
    assert late_s >= 0.01, "a commit that failed is no commit"
    await consumer._commit({PARTITION: 2})
    assert consumer.commit_late_s == 0


async def test_a_record_that_its_stream_has_room_for_is_handed_over_at_once(app: Any) -> None:
    async def handing_over() -> str:
        return "handed over"

    use_patched_consumer(app)
    suspended = asyncio.Event()
    before = asyncio.all_tasks()
    step = app.consumer.wait_first(handing_over(), suspended.wait())
    with pytest.raises(StopIteration) as found:
        step.send(None)
    assert found.value.value.results == ["handed over"]
    assert asyncio.all_tasks() == before


async def test_a_record_that_must_wait_for_room_is_handed_over_when_there_is_some(app: Any) -> None:
    use_patched_consumer(app)
    room, suspended, seen = asyncio.Event(), asyncio.Event(), []

    async def handing_over() -> str:
        for step in range(3):
            seen.append(step)
            await asyncio.sleep(0)
            async with asyncio.timeout(5):
                await room.wait()
        return "handed over"

    waiting = asyncio.create_task(app.consumer.wait_first(handing_over(), suspended.wait()))
    await asyncio.sleep(0.01)
    assert (seen, waiting.done()) == ([0], False)
    room.set()
    assert (await waiting).results == ["handed over"]
    assert seen == [0, 1, 2]


async def test_a_rebalance_ends_the_waiting_for_room(app: Any) -> None:
    use_patched_consumer(app)
    suspended, ended = asyncio.Event(), []

    async def handing_over() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    waiting = asyncio.create_task(app.consumer.wait_first(handing_over(), suspended.wait()))
    await asyncio.sleep(0.01)
    suspended.set()
    assert (await waiting).results == [True]
    await asyncio.sleep(0.01)
    assert ended == ["cancelled"]


@pytest.mark.parametrize("steps", [0, 1])
async def test_what_goes_wrong_in_a_handing_over_is_raised(app: Any, steps: int) -> None:
    async def handing_over() -> None:
        for _ in range(steps):
            await asyncio.sleep(0)
        raise ValueError("no")

    use_patched_consumer(app)
    suspending = asyncio.Event().wait()
    with pytest.raises(ValueError, match="no"):
        await app.consumer.wait_first(handing_over(), suspending)
    await asyncio.sleep(0.01)
    assert inspect.getcoroutinestate(suspending) == inspect.CORO_CLOSED
