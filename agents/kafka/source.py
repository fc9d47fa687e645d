"""Where records come from: an async iterator of deliveries, each a `Record` with its ack.

    Kafka ──► Faust and aiokafka, patched ──► RecordSource ──► async for delivery in deliveries: …; delivery.ack()
                   ▲                               │
                   └── committed offsets ◄── OffsetTracker: acks in order, at most `window` not done

Faust consumes, commits, rebalances and owns the event loop. An agent sees none of it: only this module,
`faust_consumer` and `consumer_thread` know Faust.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import faust
from faust.sensors import SensorDelegate

from sluicegate.agents.kafka.faust_consumer import MAX_PARTITION_FETCH_BYTES, MAX_POLL_RECORDS, use_patched_consumer
from sluicegate.agents.kafka.offsets import InFlightEvent, OffsetTracker
from sluicegate.agents.kafka.record import Record, Unreadable
from sluicegate.agents.kafka.security import faust_credentials
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry.levels import PartitionLag
from sluicegate.agents.time_budget import REBALANCE_S, REQUEST_S


@dataclass(frozen=True, slots=True)
class Subscription:
    """What an agent reads: a topic, as a consumer group, at most `window` records at a time."""

    topic: str
    group_id: str
    window: int
    behind: int = 0
    """Records that may be done, beyond the window, while they wait for one before them in their partition."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A record that somebody must bring to its end, and then ack."""

    record: Record
    ack: Callable[[], None]
    """Say that the record is done. Its offset is committed once all before it in its partition are done too."""
    release: Callable[[], None]
    """Give the record up while the source recalls what is held: it is redelivered, with those behind it."""


Consume = Callable[[AsyncIterator[Delivery]], Awaitable[None]]


class RecordSource:
    """The records of one topic for one group, at least once each, at most `window + behind` of them not acked.

    Lives on Faust's event loop. Make it, say who consumes (`feed`), then run `app`.
    """

    def __init__(self, settings: Settings, subscription: Subscription, recalled: asyncio.Event | None = None) -> None:
        """`recalled` is set while the source waits for what is in flight, before a rebalance and when it stops."""
        self.app: Any = _faust_app(settings, subscription, recalled)
        self._topic = self.app.topic(
            subscription.topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
        )
        self._tracker: OffsetTracker[Any] = OffsetTracker(
            self._complete, subscription.window, self._forget, behind=subscription.behind
        )
        self.app.on_partitions_revoked.connect(self._revoke)
        self.event_age_s: float | None = None
        """How old the last record was when it was taken; None before the first."""

    def feed(self, consume: Consume) -> None:
        """Call `consume` with the deliveries once the group is joined. It should return only when the app stops.

        Once the deliveries have ended, nothing cancels it.
        """

        async def agent(stream: Any) -> None:
            ended = asyncio.Event()
            consuming = asyncio.ensure_future(consume(self._deliveries(stream, ended)))
            try:
                await asyncio.shield(consuming)
            except asyncio.CancelledError:  # Faust ends the stream, and cancels while `consume` ends too
                if not ended.is_set():
                    consuming.cancel()
                await asyncio.wait([consuming])
                raise

        self.app.agent(self._topic, concurrency=1)(agent)

    def on_assigned(self, tell: Callable[[list[int]], None]) -> None:
        """Call `tell` with the numbers of the partitions whenever the group has assigned them."""

        async def assigned(_app: Any, partitions: Any, **_: Any) -> None:
            tell(sorted(partition.partition for partition in partitions))

        self.app.on_partitions_assigned.connect(assigned, weak=False)

    async def stop_without_acking(self, error: Exception) -> None:
        """Ack nothing any more and end the process: what is not acked is redelivered, to another worker."""
        self._tracker.abandon()
        await self.app.crash(error)

    @property
    def in_flight(self) -> int:
        """Deliveries that are not acked; safe to read from any thread."""
        return self._tracker.in_flight

    @property
    def oldest_s(self) -> float:
        """Seconds that the oldest delivery has waited for its ack, 0 when there is none."""
        return self._tracker.oldest_s

    @property
    def commit_late_s(self) -> float:
        """Seconds for which the cluster has not confirmed a commit, 0 when there is nothing to commit."""
        return float(self.app.consumer.commit_late_s)

    @property
    def lags(self) -> tuple[PartitionLag, ...]:
        """How far the group is behind in each partition of this worker; nothing during a rebalance."""
        return tuple(self.app.consumer.lags())

    @property
    def silent_s(self) -> float:
        """Seconds since the group's coordinator last confirmed a heartbeat; 0 during a rebalance."""
        return float(self.app.consumer.silent_s)

    @property
    def joined(self) -> bool:
        """Whether the group has been joined."""
        return bool(self.app.consumer_generation_id)

    @property
    def rebalancing(self) -> bool:
        """Whether partitions are being reassigned."""
        return bool(self.app.rebalancing)

    @property
    def stopping(self) -> bool:
        """Whether the source ends."""
        return bool(self.app.should_stop)

    @property
    def crashed(self) -> bool:
        """Whether it ends because of an error."""
        return bool(self.app.crashed)

    async def _deliveries(self, stream: Any, ended: asyncio.Event) -> AsyncIterator[Delivery]:
        try:
            async for event in stream.noack().events():
                message = event.message
                if message.timestamp:
                    self.event_age_s = max(0.0, time.time() - message.timestamp)
                registered = await self._tracker.register(message, (message.topic, message.partition), message.offset)
                yield self._delivery(registered)
        finally:
            ended.set()

    def _delivery(self, registered: InFlightEvent[Any]) -> Delivery:
        return Delivery(
            _record(registered.event),
            ack=lambda: self._tracker.complete(registered),
            release=lambda: self._tracker.release(registered),
        )

    def _complete(self, message: Any) -> None:
        if message.generation_id == self.app.consumer_generation_id:
            self.app.consumer.complete(message)

    def _forget(self, message: Any) -> None:
        self.app.consumer.ack(message)  # which only ends the wait for it

    async def _revoke(self, _app: Any, revoked: Any, **_: Any) -> None:
        self._tracker.revoke((partition.topic, partition.partition) for partition in revoked)


class _NoSensors(SensorDelegate):
    """Takes the place of Faust's sensors, whose monitor costs time for every event and is not used."""

    def add(self, sensor: Any) -> None:
        """Leave `sensor` out: Faust adds its monitor."""

    def on_rebalance_start(self, app: Any) -> dict[str, None]:
        """Returns a state that is not empty: without one, Faust logs a warning at the end of each rebalance."""
        return {"none": None}

    def on_rebalance_return(self, app: Any, state: Any) -> None:
        """Nothing is measured."""

    def on_rebalance_end(self, app: Any, state: Any) -> None:
        """Nothing is measured."""


def _record(message: Any) -> Record:
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        timestamp=_timestamp(message.timestamp),
        key=message.key,
        value=message.value,
        headers=message.headers or (),
        unreadable=message.checksum if isinstance(message.checksum, Unreadable) else None,
    )


def _timestamp(seconds: float | None) -> datetime:
    try:
        return datetime.fromtimestamp(seconds or 0, UTC) if seconds and seconds > 0 else datetime.now(UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.now(UTC)


def _faust_app(settings: Settings, subscription: Subscription, recalled: asyncio.Event | None) -> Any:
    brokers = ";".join(f"kafka://{server.strip()}" for server in settings.bootstrap_servers.split(","))
    app = faust.App(
        subscription.group_id,
        broker=brokers,
        broker_credentials=faust_credentials(settings),
        autodiscover=False,
        datadir=tempfile.gettempdir(),
        key_serializer="raw",
        value_serializer="raw",
        store="memory://",
        broker_commit_interval=1.0,
        broker_heartbeat_interval=1.0,  # a rebalance is noticed by the next heartbeat, and until then it waits
        broker_max_poll_records=MAX_POLL_RECORDS,
        broker_session_timeout=settings.session_timeout_ms / 1000,
        broker_rebalance_timeout=REBALANCE_S,
        broker_request_timeout=REQUEST_S,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=MAX_PARTITION_FETCH_BYTES,
        consumer_metadata_max_age_ms=10_000,  # the longest that a partition added to the topic goes unread
        stream_wait_empty=True,
        stream_publish_on_commit=False,
        stream_buffer_maxsize=subscription.window,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        worker_redirect_stdouts=False,
        web_enabled=False,
    )
    app.sensors = _NoSensors(app)
    use_patched_consumer(app, recalled)
    return app
