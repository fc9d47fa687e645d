"""Faust's consumer (0.15.3) on aiokafka (0.14.0), patched where it loses events, repeats them, or stops.

Seeks. When Faust resumes after a rebalance it goes back to the committed offsets (`perform_seek`), sometimes while a
batch that was fetched before is still being handed over, because one rebalance can begin while the previous one
resumes. Faust continues with that batch and commits past what it skipped. Here a batch ends at a seek: the rest of it
is dropped, and one more seek makes sure that it is redelivered. A partition without a committed offset, which aiokafka
would leave at its position, goes back to its beginning.

Commits. Faust collects acked offsets and works out which of them can be committed; that loses events where a log has
gaps. Here the offset behind the last completed record is committed, because `OffsetTracker` completes the records of a
partition in order. A commit that finds another one in progress waits and then commits what was completed meanwhile.
Before partitions are revoked, and when the worker stops, the consumer waits for what is in flight and commits it. While
it waits, `recalled` is set: whoever holds an event without working on it gives it up.
`commit_late_s` says for how long commits have failed.

Reading. `_drain_messages` is Faust's loop without its record of offsets, which drops the records of a topic that was
deleted and created again. It starts no task for a record if the stream has space. Records of aborted and of open
transactions are not read (`read_committed`). Whatever aiokafka cannot parse is delivered as an unreadable record
(`record_batches`). Records that retention deleted before they were read are logged.

Memory. A poll reads a bounded number of records and bytes, and waits while large records that were read before take up
more than MAX_LARGE_BYTES.

What it needs inside aiokafka's own thread is in `consumer_thread`.
"""

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Generator, Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import Any, Final
from weakref import WeakKeyDictionary

import faust
from aiokafka.client import AIOKafkaClient  # type: ignore[import-untyped]
from aiokafka.consumer import fetcher  # type: ignore[import-untyped]
from aiokafka.consumer.consumer import AIOKafkaConsumer  # type: ignore[import-untyped]
from aiokafka.consumer.group_coordinator import GroupCoordinator  # type: ignore[import-untyped]
from aiokafka.errors import ConsumerStoppedError  # type: ignore[import-untyped]
from faust.exceptions import ConsumerNotStarted
from faust.transport.drivers import aiokafka
from mode.utils.futures import notify

from sluicegate.agents.kafka.consumer_thread import ConsumerThread
from sluicegate.agents.kafka.record_batches import FetchedBytes, PartitionRecords
from sluicegate.agents.kafka.record_fields import record_bytes
from sluicegate.agents.telemetry.levels import PartitionLag
from sluicegate.schemas.errors import ConfigurationError

logger = logging.getLogger(__name__)

MAX_PARTITION_FETCH_BYTES: Final = 1024 * 1024
MAX_POLL_RECORDS: Final = 500
LARGE_BYTES: Final = 64 * 1024
MAX_LARGE_BYTES: Final = 32 * 1024 * 1024

_YIELD_EVERY: Final = 100
_WAIT_S: Final = 0.01


class PatchedFaustConsumer(aiokafka.Consumer):
    """The consumer of an app that went through `use_patched_consumer`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._seeks = 0
        self._committing_since: float | None = None
        self._expected: dict[Any, int | None] = {}
        """The offset that each partition should deliver next, None before its first; others deliver nothing."""
        self._completed_to: dict[Any, int] = {}
        """The offset behind the last completed record of each partition."""
        self._reported: set[Any] = set()
        """Partitions that were logged to have no committed offset."""
        self._large_bytes_read = 0
        self._large: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        """Messages of more than LARGE_BYTES that somebody still holds, with their sizes."""

    @property
    def commit_late_s(self) -> float:
        """Seconds for which the cluster has not confirmed a commit, 0 when there is nothing to commit."""
        return time.monotonic() - self._committing_since if self._committing_since else 0.0

    @property
    def silent_s(self) -> float:
        """Seconds since the group's coordinator last confirmed a heartbeat, of which one is sent every second.

        0 before the first, and during a rebalance, which needs none.
        """
        heard_at = self._thread.heard_at  # type: ignore[attr-defined]  # the thread is ours
        return time.monotonic() - heard_at if heard_at and not self.app.rebalancing else 0.0

    def lags(self) -> list[PartitionLag]:
        """The lag of each partition whose end is known. Nothing during a rebalance, when nobody owns a partition."""
        now = time.monotonic()
        ends = {partition: self._thread.end_of(partition) for partition in self._expected}  # type: ignore[attr-defined]
        return [
            PartitionLag(
                partition.topic,
                partition.partition,
                max(0, end.offset - (self._committed_offset[partition] or 0)),
                now - end.at,
            )
            for partition, end in ends.items()
            if end is not None and not self.app.rebalancing
        ]

    def _new_consumer_thread(self) -> Any:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        self._seeks += 1
        await super().perform_seek()
        uncommitted = {partition for partition in self.assignment() if not self._committed_offset[partition]}
        if uncommitted:
            self._report_uncommitted(uncommitted)
            await self._thread.seek_to_beginning(*map(aiokafka.ensure_aiokafka_TP, uncommitted))
        self._expected = {partition: self._committed_offset[partition] for partition in self.assignment()}
        self._completed_to.clear()
        self._seeks += 1

    def _report_uncommitted(self, partitions: set[Any]) -> None:
        news = ", ".join(str(partition.partition) for partition in sorted(partitions - self._reported))
        self._reported |= partitions
        if news:
            logger.warning(
                "the group %s has committed nothing of partitions %s: reading from their beginning",
                self.app.conf.id,
                news,
            )

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:  # noqa: ASYNC109 - Faust's signature
        await self._wait_for_memory()
        seeks, sought = self._seeks, True
        async for partition, message in super().getmany(timeout):
            sought = partition in self._expected
            if seeks != self._seeks or not sought:
                break
            self._follow(partition, message.offset)
            headers: Any = message.headers
            if (size := record_bytes(message.key, message.value, headers)) > LARGE_BYTES:
                self._large[message] = size
                self._large_bytes_read += size
            yield partition, message
        if (seeks != self._seeks or not sought) and self.flow_active:  # otherwise Faust seeks before it resumes
            await self.perform_seek()

    async def _wait_for_memory(self) -> None:
        if self._large_bytes_read > MAX_LARGE_BYTES:
            gc.collect()  # exceptions and futures keep records alive in cycles, in too few objects for Python to look
            self._large_bytes_read = 0
        while self.flow_active and not self.should_stop:
            if sum(self._large.values()) <= MAX_LARGE_BYTES:
                return
            await asyncio.sleep(_WAIT_S)

    def _follow(self, partition: Any, offset: int) -> None:
        expected = self._expected[partition]
        reset_to = self._thread.reset_to.pop(partition, 0)  # type: ignore[attr-defined]  # the thread is ours
        if expected is not None and expected < reset_to <= offset:
            logger.warning(
                "partition %s of %s: retention deleted %d offsets, from %d on, before they were read",
                partition.partition,
                partition.topic,
                reset_to - expected,
                expected,
            )
        if expected is not None and offset < expected:  # the topic was deleted and created again
            self._committed_offset[partition] = None
        self._expected[partition] = offset + 1

    def on_buffer_full(self, _: Any) -> None:
        """Keep polling all partitions: the records of one are handed over before the next one is read."""

    async def _drain_messages(self, fetcher_: Any) -> None:
        handed_over = 0
        try:
            while not (self.should_stop or fetcher_.should_stop):
                await asyncio.sleep(0)
                async for _, message in self.getmany(timeout=1.0):
                    handed_over += 1
                    if handed_over % _YIELD_EVERY == 0:
                        await asyncio.sleep(0)
                    await self._hand_over(message)
        except (ConsumerStoppedError, asyncio.CancelledError):
            if not self.app.should_stop:
                raise

    async def _hand_over(self, message: Any) -> None:
        """Give `message` to its stream. Starts a task only if the stream has no space; a rebalance ends the wait."""
        handing_over: Any = self.callback(message)
        try:
            waits_for = handing_over.send(None)
        except StopIteration:
            return
        await self.wait_first(_StartedCoroutine(handing_over, waits_for), self.suspend_flow.wait())

    def complete(self, message: Any) -> None:
        """Let the offset behind `message` be committed: it and all before it in its partition are done."""
        last = getattr(message.checksum, "last_offset", None)  # of an `Unreadable`, see record_batches
        self._completed_to[message.tp] = (message.offset if last is None else last) + 1
        self.ack(message)

    def ack(self, message: Any) -> bool:
        """Stop waiting for `message`. Faust calls this too, for what a stream skips when a rebalance begins."""
        message.acked = True
        self._unacked_messages.discard(message)
        notify(self._waiting_for_ack)
        return True

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        while await self.maybe_wait_for_commit_to_finish():
            pass
        return bool(await super().commit(topics, start_new_transaction))

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        assigned = self.assignment()
        offsets = {
            partition: offset
            for partition, offset in self._completed_to.items()
            if partition in assigned and offset > (self._committed_offset[partition] or 0)
        }
        if not offsets or not await self._commit(offsets):
            return False
        self._committed_offset.update(offsets)
        return True

    async def _commit(self, offsets: Mapping[Any, int]) -> bool:
        self._committing_since = self._committing_since or time.monotonic()
        confirmed = bool(await super()._commit(offsets))
        if confirmed:
            self._committing_since = None
        return confirmed

    async def wait_empty(self) -> None:
        app: Any = self.app
        recalled: asyncio.Event = app.recalled
        recalled.set()
        try:
            with suppress(ConsumerNotStarted):  # it is stopped before it has started: nothing is in flight
                await super().wait_empty()
        finally:
            if not app.should_stop:
                recalled.clear()

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        self.stop_flow()
        self.app.flow_control.suspend()
        self.app.flow_control.clear()
        await self.wait_empty()
        await super().on_partitions_revoked(revoked)
        for partition in revoked:
            self._expected.pop(partition, None)
            self._completed_to.pop(partition, None)
        self._committing_since = None  # what this worker did not commit belongs to another one


class _StartedCoroutine:
    """The rest of a coroutine that was begun outside a task and then yielded `waits_for`."""

    def __init__(self, begun: Coroutine[Any, Any, Any], waits_for: Any) -> None:
        self._begun = begun
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Any]:
        waits_for = self._waits_for
        while True:
            try:
                try:
                    sent = yield waits_for
                except BaseException as error:  # noqa: BLE001 - a cancellation too belongs to the coroutine
                    waits_for = self._begun.throw(error)
                else:
                    waits_for = self._begun.send(sent)
            except StopIteration as done:
                return done.value


class _Transport(aiokafka.Transport):
    Consumer = PatchedFaustConsumer


PatchedFaustConsumer.logger = aiokafka.logger  # after the definition: Faust gives every class a logger of its module


_PRIVATE_NAMES: Final = {
    fetcher: ("MemoryRecords", "PartitionRecords"),
    fetcher.Fetcher: ("_proc_fetch_request", "_proc_offset_request"),
    fetcher.PartitionRecords: (
        *("_unpack_records", "_consume_aborted_up_to", "_consumer_record"),
        *("_records", "_aborted_producers", "_tp", "next_fetch_offset"),
    ),
    GroupCoordinator: ("_do_heartbeat",),
    AIOKafkaConsumer: ("_client", "_coordinator", "_fetcher", "_isolation_level", "_fetch_max_bytes"),
    AIOKafkaClient: ("_sasl_plain_password",),
    aiokafka.AIOKafkaConsumerThread: ("_create_worker_consumer", "_ensure_consumer", "_fetch_records"),
    aiokafka.Consumer: (
        *("_commit", "_drain_messages", "_new_consumer_thread", "perform_seek", "force_commit", "on_buffer_full"),
        *("maybe_wait_for_commit_to_finish", "wait_empty", "_thread", "_committed_offset", "_unacked_messages"),
        *("_waiting_for_ack", "callback", "flow_active", "suspend_flow"),
    ),
}
"""What this module and `record_batches` override or use, although Faust and aiokafka do not promise it."""


def use_patched_consumer(app: faust.App, recalled: asyncio.Event | None = None) -> None:
    """Make `app`, which has not started yet, consume as described above, and set `recalled` while it waits.

    Raises:
        ConfigurationError: the installed Faust or aiokafka lacks a private name that the patches rely on.
    """
    _require_private_names()
    fetcher.MemoryRecords = FetchedBytes
    fetcher.PartitionRecords = PartitionRecords
    patched: Any = app
    patched.recalled = recalled or asyncio.Event()
    app.transport = _Transport(app.conf.broker_consumer, app)


def _require_private_names() -> None:
    missing = [
        f"{owner.__name__}.{name}" for owner, names in _PRIVATE_NAMES.items() for name in names if not _has(owner, name)
    ]
    if missing:
        versions = " and ".join(f"{package} {version(package)}" for package in ("faust-streaming", "aiokafka"))
        raise ConfigurationError(
            f"{versions} cannot be used: {', '.join(missing)} is missing; install the versions of pyproject.toml"
        )


def _has(owner: Any, name: str) -> bool:
    """Whether a module or a class has `name`, or its instances get it when they are made."""
    if hasattr(owner, name):
        return True
    classes = [vars(one) for one in getattr(owner, "__mro__", ())]
    initialisers = [fields["__init__"] for fields in classes if hasattr(fields.get("__init__"), "__code__")]
    return any(name in fields.get("__annotations__", {}) for fields in classes) or any(
        name in initialiser.__code__.co_names for initialiser in initialisers
    )
