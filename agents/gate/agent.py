"""The gate agent: Faust consumes, our tracker acks, the pipeline does the rest.

Faust is trusted with consuming, committing and rebalancing. It is not trusted with acks: its
own out-of-order acking loses events (faust-streaming #606, #596, #189), so the stream is `noack` and `OffsetTracker`
hands Faust a contiguous prefix of each partition, one event at a time.
"""

import asyncio
import logging
import tempfile
from datetime import UTC, datetime
from typing import Any

import faust
from faust.sensors import SensorDelegate

from sluicegate.agents.deciding.live_models import LoadedModels
from sluicegate.agents.error_text import describe_error
from sluicegate.agents.gate.pipeline import Pipeline
from sluicegate.agents.gate.state import WorkerState
from sluicegate.agents.kafka.faust_consumer import use_patched_consumer
from sluicegate.agents.kafka.offsets import InFlightEvent, OffsetTracker
from sluicegate.agents.kafka.record import Record
from sluicegate.agents.kafka.security import faust_credentials
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry import Telemetry
from sluicegate.agents.time_budget import REBALANCE_S, REQUEST_S

logger = logging.getLogger(__name__)


class Worker:
    """One gate worker: the Faust app with its single agent, and what it works with."""

    def __init__(self, settings: Settings, models: LoadedModels, telemetry: Telemetry) -> None:
        self._settings = settings
        self._models = models
        self._telemetry = telemetry
        self._pipeline: Pipeline | None = None
        self.app: Any = _faust_app(settings)
        self._tracker: OffsetTracker[Any] = OffsetTracker(self._acknowledge, settings.window)
        telemetry.observe(
            queue_depth=lambda: self._pipeline.queue_depth if self._pipeline else 0,
            events_in_flight=lambda: self.in_flight,
        )
        raw = self.app.topic(
            settings.topic_raw, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
        )
        self.app.agent(raw, name="gate", concurrency=1)(self._gate)
        self.app.on_partitions_revoked.connect(self._revoke)
        self.app.on_partitions_assigned.connect(self._assigned)

    @property
    def in_flight(self) -> int:
        """Events taken from Kafka and not yet acknowledged; safe to read from any thread."""
        return self._tracker.in_flight

    def state(self) -> WorkerState:
        """How it is at this moment. Call it on the event loop."""
        pipeline, consumer = self._pipeline, self.app.consumer
        return WorkerState(
            in_flight=self.in_flight,
            oldest_event_s=self._tracker.oldest_s,
            commit_late_s=consumer.commit_late_s,
            silent_s=consumer.silent_s,
            models=pipeline.models if pipeline else None,
            joined=bool(self.app.consumer_generation_id),
            rebalancing=self.app.rebalancing,
            can_publish=pipeline is None or pipeline.can_publish,
            stopping=self.app.should_stop,
            failing_tasks=tuple(pipeline.warnings()) if pipeline else (),
        )

    async def _gate(self, stream: Any) -> None:
        try:
            async with (
                Pipeline.running(self._settings, self._models, self._telemetry) as pipeline,
                asyncio.TaskGroup() as tasks,
            ):
                self._pipeline = pipeline
                async for event in stream.noack().events():
                    message = event.message
                    registered = await self._tracker.register(event, (message.topic, message.partition), message.offset)
                    tasks.create_task(self._handle(pipeline, registered), name="event")
        except Exception as error:  # noqa: BLE001 - Faust would restart the agent past the events in flight
            await self._stop_without_acking(error)

    async def _handle(self, pipeline: Pipeline, registered: InFlightEvent[Any]) -> None:
        try:
            await pipeline.process(_record(registered.event.message))
        except Exception as error:  # noqa: BLE001 - no outcome: the event must come again, to another process
            await self._stop_without_acking(error)
        else:
            self._tracker.complete(registered)

    def _acknowledge(self, event: Any) -> None:
        if event.message.generation_id == self.app.consumer_generation_id:
            event.ack()

    async def _revoke(self, _app: Any, revoked: Any, **_: Any) -> None:
        self._tracker.revoke((partition.topic, partition.partition) for partition in revoked)

    async def _assigned(self, _app: Any, assigned: Any, **_: Any) -> None:
        numbers = ", ".join(str(partition.partition) for partition in sorted(assigned)) or "none"
        logger.info("joined the group; partitions of %s: %s", self._settings.topic_raw, numbers)

    async def _stop_without_acking(self, error: Exception) -> None:
        if self.app.crashed:  # another event was first
            return
        logger.critical("stopping without acking, so that it is redelivered: %s", describe_error(error))
        self._tracker.abandon()
        await self.app.crash(error)


class _NoSensors(SensorDelegate):
    """Faust's sensors, none of them: its monitor costs each event time, and nobody reads it."""

    def add(self, sensor: Any) -> None:
        """Leave `sensor` out. Faust adds its monitor."""

    def on_rebalance_start(self, app: Any) -> dict[str, None]:
        """Returns a state that is not empty: without one, Faust logs a warning at the end of each rebalance."""
        return {"none": None}

    def on_rebalance_return(self, app: Any, state: Any) -> None:
        """Nothing is measured."""

    def on_rebalance_end(self, app: Any, state: Any) -> None:
        """Nothing is measured."""


def _record(message: Any) -> Record:
    headers = message.headers or ()
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        timestamp=_timestamp(message.timestamp),
        key=message.key,
        value=message.value,
        headers=list(headers.items()) if isinstance(headers, dict) else list(headers),
    )


def _timestamp(seconds: float | None) -> datetime:
    try:
        return datetime.fromtimestamp(seconds or 0, UTC) if seconds and seconds > 0 else datetime.now(UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.now(UTC)


def _faust_app(settings: Settings) -> Any:
    brokers = ";".join(f"kafka://{server.strip()}" for server in settings.bootstrap_servers.split(","))
    app = faust.App(
        settings.group_id,
        broker=brokers,
        broker_credentials=faust_credentials(settings),
        autodiscover=False,
        datadir=tempfile.gettempdir(),
        key_serializer="raw",
        value_serializer="raw",
        store="memory://",
        broker_commit_interval=1.0,
        broker_commit_every=1000,
        broker_heartbeat_interval=1.0,  # a rebalance is noticed by the next heartbeat, and until then it waits
        broker_session_timeout=settings.session_timeout_ms / 1000,
        broker_rebalance_timeout=REBALANCE_S,
        broker_request_timeout=REQUEST_S,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=10_000,  # the longest that a partition added to the topic goes unread
        stream_wait_empty=True,
        stream_publish_on_commit=False,
        stream_buffer_maxsize=settings.window,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        worker_redirect_stdouts=False,
        web_enabled=False,
    )
    app.sensors = _NoSensors(app)
    use_patched_consumer(app)
    return app
