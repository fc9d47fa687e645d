"""Faust's consumer (0.15.3), made safe where its rebalances lose events or repeat them.

Seeks. When Faust resumes after a rebalance it goes back to the committed offsets (`perform_seek`), at times while a
batch that was fetched before is still being handed over, since one rebalance may begin while the last one resumes. The
rest of that batch lies beyond the position that was sought: Faust takes what is between for a gap of the log, drops it
when it comes ("DROPPED MESSAGE ROFF"), and commits past it. Here a batch ends at a seek: what is left of it is not
handed over, and one more seek makes sure that it comes again. And a partition of which nothing is committed, which
aiokafka would leave where it stands, goes back to its beginning.

Commits. One that finds another under way waits for it and does nothing; here it goes on to commit what was acked
meanwhile. Before partitions are given away Faust forgets what was acked in them, then waits for what is in flight and
commits; and while it stops, it does neither. Here it waits and commits first, always. Otherwise a second's worth of
events would come twice at every rebalance. And it tells for how long a commit has not come through, which Faust logs at
most.

Gaps. A log has offsets without a record: transactions leave them, compaction, and records that are too old. Faust
counts the record after a gap twice, so that a commit gets no further than the next gap: at one a second, a producer of
transactions is never caught up with. It writes out every offset of a gap, millions where the log's beginning has moved
on. And it overlooks one behind offset 0 for ever. Here a gap is where the log goes on. And where the log itself begins
anew (a topic was made again), Faust drops records until they reach the offset of old; here they are read.

Silence. It tells for how long the group's coordinator has confirmed no heartbeat, which Faust does not know.

Transactions. Records that their producer took back are not read (`read_committed`), nor any that it still may.

Cost. Faust starts four tasks to hand over a record; here none where the stream has room for it.
"""

import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine, Generator, Mapping
from typing import Any

import faust
from faust.transport.drivers import aiokafka
from mode.services import WaitResults

logger = logging.getLogger(__name__)


class _ConsumerThread(aiokafka.AIOKafkaConsumerThread):
    heard_at: float | None = None
    """When the group's coordinator last confirmed a heartbeat, or was sent the first, on the monotonic clock."""

    async def on_start(self) -> None:
        await super().on_start()
        coordinator = self._ensure_consumer()._coordinator
        beat = coordinator._do_heartbeat

        async def do_heartbeat() -> bool:
            self.heard_at = self.heard_at or time.monotonic()
            confirmed = bool(await beat())
            if confirmed:
                self.heard_at = time.monotonic()
            return confirmed

        coordinator._do_heartbeat = do_heartbeat

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # an option of aiokafka, not of Faust
        return consumer


class PatchedFaustConsumer(aiokafka.Consumer):
    """What an app that went through `use_patched_consumer` consumes with."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._seeks = 0
        self._committing_since: float | None = None
        self._expected: dict[Any, int | None] = {}
        """The offset that each partition should hand over next, None before its first; without it, nothing is."""
        self._gaps: defaultdict[Any, dict[int, int]] = defaultdict(dict)
        """By the first offset of each gap, the one where the log goes on."""
        self._told: set[Any] = set()
        """Partitions that were said to have no commit."""

    @property
    def commit_late_s(self) -> float:
        """Seconds for which something was to be committed and the cluster has not confirmed a commit; 0 if nothing."""
        return time.monotonic() - self._committing_since if self._committing_since else 0.0

    @property
    def silent_s(self) -> float:
        """Seconds since the group's coordinator last confirmed a heartbeat, one of which is sent a second.

        0 before the first, and in a rebalance, which needs none.
        """
        heard_at = self._thread.heard_at  # type: ignore[attr-defined]  # it is ours
        return time.monotonic() - heard_at if heard_at and not self.app.rebalancing else 0.0

    def _new_consumer_thread(self) -> Any:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        self._seeks += 1
        await super().perform_seek()
        uncommitted = {partition for partition in self.assignment() if not self._committed_offset[partition]}
        if uncommitted:
            self._tell_that_nothing_is_committed(uncommitted)
            await self._thread.seek_to_beginning(*map(aiokafka.ensure_aiokafka_TP, uncommitted))
        self._expected = {partition: self._committed_offset[partition] for partition in self.assignment()}
        self._gaps.clear()
        self._seeks += 1

    def _tell_that_nothing_is_committed(self, partitions: set[Any]) -> None:
        news = ", ".join(str(partition.partition) for partition in sorted(partitions - self._told))
        self._told |= partitions
        if news:
            logger.warning(
                "the group %s has committed nothing of partitions %s: reading from their beginning",
                self.app.conf.id,
                news,
            )

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:  # noqa: ASYNC109 - Faust's signature
        seeks, sought = self._seeks, True
        async for partition, message in super().getmany(timeout):
            sought = partition in self._expected
            if seeks != self._seeks or not sought:
                break
            self._follow(partition, message.offset)
            yield partition, message
        if (seeks != self._seeks or not sought) and self.flow_active:  # otherwise Faust seeks before it resumes
            await self.perform_seek()

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        self.stop_flow()
        self.app.flow_control.suspend()
        self.app.flow_control.clear()
        await self.wait_empty()
        await super().on_partitions_revoked(revoked)
        for partition in revoked:
            self._expected.pop(partition, None)
            self._gaps.pop(partition, None)
        self._committing_since = None  # what it did not commit is another worker's

    async def wait_first(self, *coros: Any, timeout: Any = None) -> Any:  # noqa: ASYNC109 - Faust's signature
        """As Faust's, but a first coroutine that need not wait for anything is done at once."""
        first, *others = coros
        if not isinstance(first, Coroutine) or self.should_stop:
            return await super().wait_first(*coros, timeout=timeout)
        try:
            waits_for = first.send(None)
        except BaseException as ended:
            for other in others:
                if isinstance(other, Coroutine):
                    other.close()
            if isinstance(ended, StopIteration):
                return WaitResults([first], [ended.value], False)
            raise
        return await super().wait_first(_StartedCoroutine(first, waits_for), *others, timeout=timeout)

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        while await self.maybe_wait_for_commit_to_finish():
            pass
        return bool(await super().commit(topics, start_new_transaction))

    def _follow(self, partition: Any, offset: int) -> None:
        expected = self._expected[partition]
        if expected is not None and offset > expected:
            self._gaps[partition][expected] = offset
        elif expected is not None and offset < expected:
            self._begin_anew(partition)
        self._expected[partition] = offset + 1

    def _begin_anew(self, partition: Any) -> None:
        self._gaps.pop(partition, None)
        self._acked_index[partition].clear()
        self._acked[partition].clear()
        self._read_offset[partition] = self._committed_offset[partition] = None

    async def _add_gap(self, tp: Any, offset_from: int, offset_to: int) -> None:
        """Nothing: `_follow` has."""

    def _new_offset(self, tp: Any) -> int | None:
        acked, gaps = self._acked_index[tp], self._gaps[tp]
        if not acked:
            return None
        committed = self._committed_offset[tp]
        offset = min(acked) if committed is None else committed
        while offset in acked or offset in gaps:
            offset = gaps.pop(offset, offset + 1)
        acked.intersection_update(range(offset, max(acked) + 1))
        self._acked[tp][:] = sorted(acked)
        return offset

    async def _commit(self, offsets: Mapping[Any, int]) -> bool:
        self._committing_since = self._committing_since or time.monotonic()
        confirmed = bool(await super()._commit(offsets))
        if confirmed:
            self._committing_since = None
        return confirmed


class _StartedCoroutine:
    """The rest of a coroutine that was begun outside a task and then waited for what it yielded, `waits_for`."""

    def __init__(self, begun: Coroutine[Any, Any, Any], waits_for: Any) -> None:
        self._begun = begun
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Any]:
        waits_for = self._waits_for
        while True:
            try:
                try:
                    sent = yield waits_for
                except BaseException as error:  # noqa: BLE001 - a cancellation too: all of it is for the coroutine
                    waits_for = self._begun.throw(error)
                else:
                    waits_for = self._begun.send(sent)
            except StopIteration as done:
                return done.value


class _Transport(aiokafka.Transport):
    Consumer = PatchedFaustConsumer


# After the fact: Faust gives every class a logger of its module.
PatchedFaustConsumer.logger = _ConsumerThread.logger = aiokafka.logger


def use_patched_consumer(app: faust.App) -> None:
    """Make `app`, which has not started yet, consume as above."""
    app.transport = _Transport(app.conf.broker_consumer, app)
