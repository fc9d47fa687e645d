"""One worker: the records of an agent's topic go through the agent, many at once, and are acked as they end."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, Generic

from sluicegate.agents.agent import Agent, Loaded, Released, RunningT
from sluicegate.agents.error_text import describe_error
from sluicegate.agents.kafka.source import Delivery, RecordSource
from sluicegate.agents.process.state import WorkerState
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry import Telemetry

logger = logging.getLogger(__name__)


class Worker(Generic[RunningT]):
    """The Faust app with the one agent that it runs."""

    def __init__(
        self, settings: Settings, agent: Agent[RunningT], loaded: Loaded[RunningT], telemetry: Telemetry
    ) -> None:
        self._topic = agent.subscription.topic
        self._loaded = loaded
        self._telemetry = telemetry
        self._running: RunningT | None = None
        self._source = RecordSource(settings, agent.subscription, agent.recalled)
        telemetry.observe(
            queue_depth=lambda: self._running.queue_depth if self._running else 0,
            events_in_flight=lambda: self.in_flight,
        )
        self._source.feed(self._consume)
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
    def running(self) -> RunningT | None:
        """The agent at work; None before the worker has joined its group, and once it stops."""
        return None if self._source.stopping else self._running

    def state(self) -> WorkerState:
        """How it is at this moment. Call it on the event loop."""
        condition, source = self._running.condition() if self._running else None, self._source
        return WorkerState(
            in_flight=self.in_flight,
            oldest_event_s=source.oldest_s,
            commit_late_s=source.commit_late_s,
            silent_s=source.silent_s,
            lags=source.lags,
            event_age_s=source.event_age_s,
            model_busy_s=condition.model_busy_s if condition else 0.0,
            models=condition.models if condition else None,
            policy=condition.policy if condition else None,
            policy_warnings=condition.policy_warnings if condition else (),
            joined=source.joined,
            rebalancing=source.rebalancing,
            can_publish=condition is None or condition.can_publish,
            stopping=source.stopping,
            failing_tasks=condition.failing_tasks if condition else (),
        )

    async def _consume(self, deliveries: AsyncIterator[Delivery]) -> None:
        try:
            async with self._loaded.running(self._telemetry) as running, asyncio.TaskGroup() as tasks:
                self._running = running
                async for delivery in deliveries:
                    tasks.create_task(self._handle(running, delivery), name="event")
        except Exception as error:  # noqa: BLE001 - Faust would restart the agent past the events in flight
            await self._stop_without_acking(error)

    async def _handle(self, running: RunningT, delivery: Delivery) -> None:
        try:
            await running.process(delivery.record)
        except Released:
            delivery.release()
        except Exception as error:  # noqa: BLE001 - no outcome: the event must be redelivered, to another process
            await self._stop_without_acking(error)
        else:
            delivery.ack()

    def _report_assignment(self, partitions: list[int]) -> None:
        numbers = ", ".join(map(str, partitions)) or "none"
        logger.info("joined the group; partitions of %s: %s", self._topic, numbers)

    async def _stop_without_acking(self, error: Exception) -> None:
        if self._source.crashed:  # another event was first
            return
        logger.critical("stopping without acking, so that it is redelivered: %s", describe_error(error))
        await self._source.stop_without_acking(error)
