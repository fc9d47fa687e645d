"""The gate agent: Faust consumes, our tracker acks, the pipeline does the rest.

Faust is trusted with consuming, committing, rebalancing, signals and the HTTP face. It is not trusted with acks: its
own out-of-order acking loses events (faust-streaming #606, #596, #189), so the stream is `noack` and `OffsetTracker`
hands Faust a contiguous prefix of each partition, one event at a time.
"""

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import faust
from faust.web import Request, View

from sluicegate.agents.deciding.live_models import LoadedModels
from sluicegate.agents.gate.pipeline import Pipeline
from sluicegate.agents.kafka.faust_consumer import use_patched_consumer
from sluicegate.agents.kafka.offsets import InFlightEvent, OffsetTracker
from sluicegate.agents.kafka.record import Record
from sluicegate.agents.kafka.security import faust_credentials
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry import Telemetry
from sluicegate.schemas.version import VERSION

logger = logging.getLogger(__name__)

_TOPICS_TIMEOUT_S: Final = 15.0
_LATE_S: Final = 10.0
_TELEMETRY_TIMEOUT_S: Final = 5.0
_REBALANCE_TIMEOUT_S: Final = 60.0
_TELL_EVERY_S: Final = 30.0
_COLLECT_EVERY: Final = 10_000
"""Objects that are alive beyond those that were, before the youngest are searched for cycles; Python's own is 700."""


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
        self.app.page("/healthz")(self._page(self._health))
        self.app.page("/readyz")(self._page(self._readiness))

    @property
    def in_flight(self) -> int:
        """Events taken from Kafka and not yet acknowledged; safe to read from any thread."""
        return self._tracker.in_flight

    async def _gate(self, stream: Any) -> None:
        self.app.sensors.remove(self.app.monitor)  # it measures each event for a page of Faust's that we do not serve
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
        logger.critical("stopping without acking: what has no outcome comes again: %s: %s", type(error).__name__, error)
        self._tracker.abandon()
        await self.app.crash(error)

    def _health(self) -> list[str]:
        """What is wrong that only a new process can mend: the event loop runs, since it answers, but nothing moves."""
        longest = self._settings.longest_event_s + _LATE_S
        waiting = {
            "an event has been in flight": self._tracker.oldest_s,
            "nothing could be committed": self.app.consumer.commit_late_s,
        }
        return [
            f"{what} for {seconds:.0f} s, {longest:.0f} are allowed"
            for what, seconds in waiting.items()
            if seconds > longest
        ]

    def _readiness(self) -> list[str]:
        """Why no event would be decided now."""
        silent_s = self.app.consumer.silent_s
        missing = {
            "the model is not loaded yet": self._pipeline is None,
            "the group is not joined yet": not self.app.consumer_generation_id,
            "partitions are being reassigned": self.app.rebalancing,
            f"Kafka has not answered for {silent_s:.0f} s": silent_s > _LATE_S,
            "the producer cannot go on": self._pipeline is not None and not self._pipeline.can_publish,
            "stopping": self.app.should_stop,
        }
        failed = self._pipeline.warnings() if self._pipeline else []
        return [*self._health(), *(reason for reason, applies in missing.items() if applies), *failed]

    async def tell_when_not_ready(self) -> None:
        """Log why, twice a minute, for as long as no event would be decided; ends with its task."""
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            if problems := self._readiness():
                logger.warning("not ready: %s", "; ".join(problems))

    def _page(self, problems: Callable[[], list[str]]) -> Callable[[View, Request], Awaitable[Any]]:
        # A plain function: Faust makes it a method of a View, which a method of ours cannot become.
        async def page(view: View, _request: Request) -> Any:
            found = problems()
            said = {
                "status": "; ".join(found) or "ok",
                "in_flight": self.in_flight,
                "models": self._pipeline.models if self._pipeline else None,
                "version": VERSION,
            }
            return view.json(said, status=503 if found else 200)

        return page


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
        broker_rebalance_timeout=_REBALANCE_TIMEOUT_S,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=10_000,  # the longest that a partition added to the topic goes unread
        stream_wait_empty=True,
        stream_publish_on_commit=False,
        stream_buffer_maxsize=settings.window,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        worker_redirect_stdouts=False,
        web_bind=settings.http_host,
        web_port=settings.http_port,
    )
    use_patched_consumer(app)
    return app
