"""The patched consumer around seeks, commits and full streams, without a connection to a broker."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import faust
import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition  # type: ignore[import-untyped]
from faust.transport.drivers import aiokafka
from faust.types import TP

from sluicegate.agents.kafka import faust_consumer
from sluicegate.agents.kafka.faust_consumer import MAX_LARGE_BYTES, use_patched_consumer
from sluicegate.agents.kafka.record import Unreadable
from sluicegate.schemas.errors import ConfigurationError

PARTITION = TP("queries.raw", 0)


class Scripted:
    """A consumer whose broker has a log of ten records, and a committed offset."""

    def __init__(self, consumer: Any, monkeypatch: pytest.MonkeyPatch, committed: int | None = 2) -> None:
        self.consumer = consumer
        self.committed = committed
        self.position = 5  # where a previous assignment stopped
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
        if self.committed:  # aiokafka leaves the others at their position
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
async def test_a_batch_ends_at_a_seek_and_the_rest_of_it_is_redelivered(
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
    assert offsets[:3] == [5, 6, 7], "Faust is fixed: the patch of seeks can go"


@dataclass(eq=False)
class Message:
    """What a consumer looks at of a message."""

    offset: int
    checksum: Unreadable | None = None
    value: bytes | None = b""
    key: bytes | None = None
    tp: TP = PARTITION
    topic: str = PARTITION.topic
    acked: bool = False


@pytest.fixture
def commits(app: Any, monkeypatch: pytest.MonkeyPatch) -> list[dict[TP, int]]:
    """What a patched consumer with one partition sends to the cluster, which confirms it."""
    use_patched_consumer(app)
    sent: list[dict[TP, int]] = []

    async def commit(_: Any, offsets: dict[TP, int]) -> bool:
        sent.append(offsets)
        return True

    monkeypatch.setattr(aiokafka.Consumer, "_commit", commit)
    monkeypatch.setattr(app.consumer, "assignment", lambda: {PARTITION})
    return sent


async def test_the_offset_behind_the_last_completed_record_is_committed_once(
    app: Any, commits: list[dict[TP, int]]
) -> None:
    for offset in (1, 3, 4, 5_000_000_000):  # the gaps of transactions, compaction, and retention
        app.consumer.complete(Message(offset))
    assert await app.consumer.commit()
    assert not await app.consumer.commit()
    assert commits == [{PARTITION: 5_000_000_001}]


async def test_a_record_that_stands_for_a_range_commits_the_whole_range(app: Any, commits: list[dict[TP, int]]) -> None:
    app.consumer.complete(Message(10, Unreadable("broken", 24)))
    await app.consumer.commit()
    app.consumer.complete(Message(25, Unreadable("a header name")))
    await app.consumer.commit()
    assert commits == [{PARTITION: 25}, {PARTITION: 26}]


async def test_what_a_stream_skips_when_a_rebalance_begins_is_not_committed(
    app: Any, commits: list[dict[TP, int]]
) -> None:
    app.consumer.complete(Message(1))
    app.consumer.ack(Message(2))  # as Faust's stream does
    await app.consumer.commit()
    assert commits == [{PARTITION: 2}]


async def test_a_commit_never_goes_back_unless_the_topic_was_created_again(
    app: Any, commits: list[dict[TP, int]]
) -> None:
    consumer = app.consumer
    consumer._committed_offset[PARTITION] = consumer._expected[PARTITION] = 7
    consumer.complete(Message(3))
    assert not await consumer.commit()
    consumer._follow(PARTITION, 0)
    consumer.complete(Message(0))
    assert await consumer.commit()
    assert commits == [{PARTITION: 1}]


async def test_a_commit_that_failed_is_tried_again(
    app: Any, commits: list[dict[TP, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, True])

    async def commit(_: Any, offsets: dict[TP, int]) -> bool:
        commits.append(offsets)
        return next(answers)

    monkeypatch.setattr(aiokafka.Consumer, "_commit", commit)
    app.consumer.complete(Message(1))
    assert not await app.consumer.commit()
    assert await app.consumer.commit()
    assert commits == [{PARTITION: 2}] * 2


async def test_records_that_retention_deleted_before_they_were_read_are_logged(
    app: Any, commits: list[dict[TP, int]], caplog: pytest.LogCaptureFixture
) -> None:
    consumer = app.consumer
    consumer._expected[PARTITION] = 7
    consumer._follow(PARTITION, 10)  # a gap, as transactions leave it
    assert caplog.messages == []
    consumer._thread.reset_to[PARTITION] = 1000
    consumer._follow(PARTITION, 1000)
    consumer._follow(PARTITION, 1001)
    assert caplog.messages == [
        "partition 0 of queries.raw: retention deleted 989 offsets, from 11 on, before they were read"
    ]


async def test_polling_waits_while_large_records_fill_the_memory(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    use_patched_consumer(app)
    Scripted(app.consumer, monkeypatch)
    held = [Message(offset, value=bytes(MAX_LARGE_BYTES // 2 + 1)) for offset in range(2)]
    app.consumer._large.update({message: len(message.value or b"") for message in held})
    polling = asyncio.ensure_future(anext(app.consumer.getmany(timeout=0)))
    await asyncio.sleep(0.05)
    assert not polling.done()
    held.pop()
    assert (await asyncio.wait_for(polling, 5))[1].offset == 5


async def last_commit(app: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What is committed in the end if an event is acked during a commit, and then a last commit is made."""
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


async def test_a_commit_that_had_to_wait_commits_what_was_completed_meanwhile(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_patched_consumer(app)
    assert await last_commit(app, monkeypatch) == [1, 2]


async def test_fausts_own_consumer_does_not_commit_it(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await last_commit(app, monkeypatch) == [1], "Faust is fixed: the patch of commits can go"


async def test_the_time_without_a_confirmed_commit_counts_until_one_is_confirmed(
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
    assert late_s >= 0.01, "a commit that failed counts as late"
    await consumer._commit({PARTITION: 2})
    assert consumer.commit_late_s == 0


def hand_over(app: Any, handing_over: Callable[[], Coroutine[Any, Any, None]]) -> Coroutine[Any, Any, None]:
    """Give a message to a stream that takes it as `handing_over` does."""
    use_patched_consumer(app)
    app.consumer.callback = lambda _: handing_over()
    handed_over_: Coroutine[Any, Any, None] = app.consumer._hand_over(Message(0))
    return handed_over_


async def test_a_record_is_handed_over_at_once_if_its_stream_has_space(app: Any) -> None:
    async def handing_over() -> None:
        pass

    before = asyncio.all_tasks()
    step = hand_over(app, handing_over).send
    with pytest.raises(StopIteration):
        step(None)
    assert asyncio.all_tasks() == before


async def test_a_record_is_handed_over_once_its_stream_has_space(app: Any) -> None:
    room, seen = asyncio.Event(), []

    async def handing_over() -> None:
        for step in range(3):
            seen.append(step)
            await asyncio.sleep(0)
            async with asyncio.timeout(5):
                await room.wait()

    waiting = asyncio.create_task(hand_over(app, handing_over))
    await asyncio.sleep(0.01)
    assert (seen, waiting.done()) == ([0], False)
    room.set()
    await waiting
    assert seen == [0, 1, 2]


async def test_a_rebalance_ends_the_wait_for_space(app: Any) -> None:
    ended = []

    async def handing_over() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    waiting = asyncio.create_task(hand_over(app, handing_over))
    await asyncio.sleep(0.01)
    app.consumer.suspend_flow.set()
    await waiting
    await asyncio.sleep(0.01)
    assert ended == ["cancelled"]


@pytest.mark.parametrize("steps", [0, 1])
async def test_an_error_while_a_record_is_handed_over_is_raised(app: Any, steps: int) -> None:
    async def handing_over() -> None:
        for _ in range(steps):
            await asyncio.sleep(0)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await hand_over(app, handing_over)


def test_every_private_name_that_the_patches_rely_on_is_looked_for(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    use_patched_consumer(app)
    monkeypatch.delattr("aiokafka.consumer.fetcher.Fetcher._proc_offset_request")
    monkeypatch.setitem(faust_consumer._PRIVATE_NAMES, aiokafka.Consumer, ("_committed_offset", "_gone"))
    with pytest.raises(ConfigurationError, match=r"aiokafka 0\.14\.0 .* Fetcher._proc_offset_request, Consumer._gone"):
        use_patched_consumer(app)


async def test_a_consumer_that_is_stopped_before_it_has_started_has_nothing_to_wait_for(app: Any) -> None:
    use_patched_consumer(app)
    await asyncio.wait_for(app.consumer.wait_empty(), 10)
    assert app.recalled.is_set() is app.should_stop
