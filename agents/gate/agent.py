"""The gate agent: each record of the source goes through the pipeline, many at once, and is then acked."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from sluicegate.agents.deciding.live_models import LiveModels, LoadedModels
from sluicegate.agents.error_text import describe_error
from sluicegate.agents.gate.pipeline import Pipeline
from sluicegate.agents.gate.state import WorkerState
from sluicegate.agents.kafka.source import Delivery, RecordSource
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry import EventSpan, Telemetry

logger = logging.getLogger(__name__)


class Worker:
    """One gate worker: the Faust app with its single agent, and what it works with."""

    def __init__(self, settings: Settings, models: LoadedModels, telemetry: Telemetry) -> None:
        self._settings = settings
        self._models = models
        self._telemetry = telemetry
        self._pipeline: Pipeline | None = None
        self._source = RecordSource(settings, settings.topic_raw)
        telemetry.observe(
            queue_depth=lambda: self._pipeline.queue_depth if self._pipeline else 0,
            events_in_flight=lambda: self.in_flight,
        )
        self._source.feed("gate", self._gate)
        self._source.on_assigned(self._report_assignment)

    @property
    def app(self) -> Any:
        """Faust's app, which the process runs."""
        return self._source.app

    @property
    def in_flight(self) -> int:
        """Events taken from Kafka and not yet acknowledged; safe to read from any thread."""
        return self._source.in_flight

    @property
    def live_models(self) -> LiveModels[EventSpan] | None:
        """The models in service; None before the worker has joined its group, and once it stops."""
        return None if self._pipeline is None or self._source.stopping else self._pipeline.live_models

    def state(self) -> WorkerState:
        """How it is at this moment. Call it on the event loop."""
        pipeline, source = self._pipeline, self._source
        return WorkerState(
            in_flight=self.in_flight,
            oldest_event_s=source.oldest_s,
            commit_late_s=source.commit_late_s,
            silent_s=source.silent_s,
            lags=source.lags,
            models=pipeline.models if pipeline else None,
            policy=pipeline.policies.description if pipeline else None,
            policy_warnings=tuple(pipeline.policies.warnings()) if pipeline else (),
            joined=source.joined,
            rebalancing=source.rebalancing,
            can_publish=pipeline is None or pipeline.can_publish,
            stopping=source.stopping,
            failing_tasks=tuple(pipeline.warnings()) if pipeline else (),
        )

    async def _gate(self, deliveries: AsyncIterator[Delivery]) -> None:
        try:
            async with (
                Pipeline.running(self._settings, self._models, self._telemetry) as pipeline,
                asyncio.TaskGroup() as tasks,
            ):
                self._pipeline = pipeline
                async for delivery in deliveries:
                    tasks.create_task(self._handle(pipeline, delivery), name="event")
        except Exception as error:  # noqa: BLE001 - Faust would restart the agent past the events in flight
            await self._stop_without_acking(error)

    async def _handle(self, pipeline: Pipeline, delivery: Delivery) -> None:
        try:
            await pipeline.process(delivery.record)
        except Exception as error:  # noqa: BLE001 - no outcome: the event must be redelivered, to another process
            await self._stop_without_acking(error)
        else:
            delivery.ack()

    def _report_assignment(self, partitions: list[int]) -> None:
        numbers = ", ".join(map(str, partitions)) or "none"
        logger.info("joined the group; partitions of %s: %s", self._settings.topic_raw, numbers)

    async def _stop_without_acking(self, error: Exception) -> None:
        if self._source.crashed:  # another event was first
            return
        logger.critical("stopping without acking, so that it is redelivered: %s", describe_error(error))
        await self._source.stop_without_acking(error)
