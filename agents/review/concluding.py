"""Brings a ruling to the topics and the ledger, for events from Kafka and for those that people have decided.

    desk ─► decided, every second ─► reviewed and what follows ─► ledger ─► desk: published

A process that dies between publishing and telling the desk publishes again, under the same event id. What people do
not decide in time is decided by the fallback; with `hold` it waits for them without limit.
"""

import asyncio
import logging
from typing import Final

from sluicegate.agents.background import BackgroundTasks
from sluicegate.agents.outcomes.event import Event
from sluicegate.agents.outcomes.publishing import OutcomePublisher
from sluicegate.agents.review.event import ReviewEvent, event_of_task
from sluicegate.agents.review.ledger import make_ledger_record
from sluicegate.agents.review.outcomes import Ruling, fall_back, make_events, ruling_of
from sluicegate.agents.review.overturns import first_decision
from sluicegate.agents.review.reviewer import ReviewDesk, ReviewTask
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry import Outcome, Telemetry
from sluicegate.schemas.codec import encode
from sluicegate.schemas.errors import PublishFailed
from sluicegate.schemas.headers import Header

logger = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 1.0
_AT_ONCE: Final = 100


class Concluding:
    """Publishes rulings. Used on one event loop."""

    def __init__(self, settings: Settings, publisher: OutcomePublisher, telemetry: Telemetry) -> None:
        self._settings = settings
        self._publisher = publisher
        self._telemetry = telemetry
        self._background = BackgroundTasks()

    @property
    def can_publish(self) -> bool:
        """Whether the producer works: False after a fatal error."""
        return self._publisher.can_publish

    def warnings(self) -> list[str]:
        """What has failed and will be restarted, one sentence each."""
        return self._background.warnings()

    def repeated_headers(self, event: Event) -> list[Header]:
        """What outputs of `event` repeat of its record, and the trace that they continue."""
        return self._publisher.headers(event, event.span.context)

    def follow(self, desk: ReviewDesk) -> None:
        """Publish what people decide at `desk`, until `stop`."""
        self._background.start("publisher of people's decisions", lambda: self._follow(desk))

    async def stop(self) -> None:
        """Stop following."""
        await self._background.stop()

    async def publish(self, event: ReviewEvent, task: ReviewTask) -> None:
        """Publish what follows from the event's ruling; without one nothing does: it waits for people.

        Raises:
            ContractError: an output breaks its contract.
            PublishFailed: the broker refused one, or did not acknowledge it in time.
        """
        if event.ruling is None:
            event.outcome = "review"
            return
        event.outcome, events = make_events(task, event.ruling, event.stamp)
        event.outputs = await self._publisher.publish(event, [(name, encode(output)) for name, output in events])

    async def publish_dead_letter(self, event: ReviewEvent, error: Exception) -> None:
        """Publish the event's record as a dead letter.

        Raises:
            PublishFailed: Kafka takes no dead letter: do not ack.
        """
        event.outcome = "deadletter"
        event.outputs = await self._publisher.publish_dead_letter(event, error)

    async def record(self, event: ReviewEvent) -> None:
        """Write the ledger record, and report the outcome.

        Raises:
            PublishFailed: the ledger record is not acknowledged: do not ack.
        """
        entry = make_ledger_record(event, with_text=self._settings.ledger_text)
        await self._publisher.publish_ledger_record(event, entry)
        ruling = event.ruling if event.error is None else None
        if ruling:
            self._telemetry.reviews.decided(ruling.reviewer.partition(":")[0], allow=ruling.allow)
            if ruling.fallback:
                self._telemetry.reviews.fell_back(ruling.fallback)
        self._telemetry.record(
            event.span,
            Outcome(
                event_id=event.stamp.event_id,
                duration_s=event.total_ms / 1000,
                policy_version=event.stamp.policy_version,
                category=ruling.category if ruling else None,
                reason_codes=(ruling.reason,) if ruling else (),
                error_type=type(event.error).__name__ if event.error else None,
            ),
        )

    async def _follow(self, desk: ReviewDesk) -> None:
        fallback = self._settings.review_fallback
        while True:
            decided = await desk.decided(_AT_ONCE)
            await asyncio.gather(*(self._conclude(desk, task, ruling_of(decision)) for task, decision in decided))
            overdue = [] if fallback == "hold" else await desk.overdue(_AT_ONCE)
            await asyncio.gather(*(self._conclude(desk, task, fall_back(task.review, fallback)) for task in overdue))
            if len(decided) < _AT_ONCE and len(overdue) < _AT_ONCE:
                await asyncio.sleep(_LOOK_EVERY_S)

    async def _conclude(self, desk: ReviewDesk, task: ReviewTask, ruling: Ruling) -> None:
        """Publish one ruling about a task of the desk. Raises PublishFailed while Kafka takes nothing."""
        source = task.source
        with self._telemetry.process_span(
            self._telemetry.extract(task.headers),
            topic=source.topic,
            partition=source.partition,
            offset=source.offset,
            group=self._settings.review_consumer_group,
            body_size=0,
        ) as span:
            event = event_of_task(task, span)
            event.ruling = ruling
            try:
                await self.publish(event, task)
            except Exception as error:
                if isinstance(error, PublishFailed) and not error.too_large:
                    raise
                await self.publish_dead_letter(event, error)
            await self.record(event)
        await desk.published(task)
        if event.error is None and ruling.decision and (first := first_decision(task.review)):
            self._telemetry.reviews.checked(first.category, first.by, upheld=first.allow == ruling.allow)
