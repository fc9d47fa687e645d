"""Processes one review event: decode, ask the reviewers, publish what follows, write the ledger. Then it may be acked.

    record ─► task ─► a round of the panel ─┬─► a decision ─► reviewed and what follows ─► ledger
                        ▲                   ├─► handed over ─► ledger (`review`): it waits for people
                        │                   ├─► handed over before ─► nothing: it is a duplicate
                        └── held ◄── hold ──┴─► no answer ─► the fallback's ruling ─► as for a decision

A held event occupies a place of the window, so Kafka is read more slowly, and not at all once the window is full. It is
released, and redelivered, when a rebalance or the stop recalls it. Events are held, too, until a reviewer has answered
its canary; but not if it only cannot be reached: then the fallback decides.
"""

import asyncio
from datetime import UTC, datetime
from typing import Final

from sluicegate.agents.agent import Condition, Released
from sluicegate.agents.gate.dedup import DedupWindow
from sluicegate.agents.kafka.record import Record
from sluicegate.agents.outcomes.event import processing
from sluicegate.agents.review.concluding import Concluding
from sluicegate.agents.review.event import ReviewEvent, event_of_record, stamp_of
from sluicegate.agents.review.outcomes import Ruling, fall_back, ruling_of
from sluicegate.agents.review.panel import Panel
from sluicegate.agents.review.reviewer import HandedOver, ReviewTask
from sluicegate.agents.review.task import task_of
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry import Telemetry
from sluicegate.schemas.codec import event_id_of
from sluicegate.schemas.errors import ContractError

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 15.0


class ReviewPipeline:
    """Processes review events. Safe for many at once on one event loop."""

    def __init__(
        self,
        settings: Settings,
        panel: Panel,
        concluding: Concluding,
        telemetry: Telemetry,
        recalled: asyncio.Event,
    ) -> None:
        self._settings = settings
        self._group_id = settings.review_consumer_group
        self._panel = panel
        self._concluding = concluding
        self._telemetry = telemetry
        self._recalled = recalled
        self._dedup = DedupWindow(settings.dedup_window) if settings.dedup_window else None
        self._held = 0
        telemetry.reviews.observe_held(lambda: self._held)

    @property
    def queue_depth(self) -> int:
        """Events that are held."""
        return self._held

    def condition(self) -> Condition:
        """Its reviewers and its producer at this moment. While no reviewer may be asked, it is not ready."""
        warnings = tuple(self._panel.warnings())
        return Condition(
            models=", ".join(self._panel.names),
            policy=f"fallback {self._settings.review_fallback}",
            policy_warnings=warnings if self._panel.trusted else (),
            can_publish=self._concluding.can_publish,
            failing_tasks=(*self._concluding.warnings(), *(() if self._panel.trusted else warnings)),
        )

    async def process(self, record: Record) -> None:
        """Bring `record` to a named outcome that the broker has acknowledged, or to the desk.

        Raises:
            PublishFailed: not even a dead letter could be published; do not ack.
            Released: it was held, and is recalled.
        """
        with processing(self._telemetry, record, self._group_id) as span:
            span.keep()
            event = event_of_record(record, span)
            if self._dedup is None or event.origin.replay_of:  # a replay must be decided again
                await self._bring_to_outcome(event)
                return
            event_id = event_id_of(record.value) or event.origin.event_id
            if not await self._dedup.once(event_id, record.value, lambda: self._bring_to_outcome(event)):
                self._telemetry.record_duplicate(span, event_id)

    async def _bring_to_outcome(self, event: ReviewEvent) -> bool:
        """One event from its record to the ledger; returns whether it was decided: False for a dead letter."""
        try:
            task = self._decode(event)
            event.ruling = await self._decide(event, task)
            await self._concluding.publish(event, task)
        except Released:
            raise
        except Exception as error:  # noqa: BLE001 - the event's boundary: any error ends in a dead letter
            await self._concluding.publish_dead_letter(event, error)
        if event.again:
            self._telemetry.record_duplicate(event.span, event.stamp.event_id)
        else:
            await self._concluding.record(event)
        return event.error is None

    def _decode(self, event: ReviewEvent) -> ReviewTask:
        try:
            event.record.require_readable()
            task = task_of(event.record, self._concluding.repeated_headers(event))
        except ContractError:
            event.keep_id_of_broken_record()
            raise
        event.task, event.stamp = task, stamp_of(task)
        return task

    async def _decide(self, event: ReviewEvent, task: ReviewTask) -> Ruling | None:
        """The ruling about the event; None if it now waits for people."""
        now = asyncio.get_running_loop().time
        pause_s, event.asked_ms = _FIRST_PAUSE_S, 0.0
        while self._panel.misunderstands:
            await self._hold(_FIRST_PAUSE_S)
        while True:
            started = now()
            verdict = await self._panel.ask(task, event.span, within_s=self._settings.review_deadline_ms / 1000)
            event.unanswered, event.rounds = verdict.unanswered, event.rounds + 1
            event.asked_ms += (now() - started) * 1000
            if isinstance(verdict.answer, HandedOver):
                event.again = verdict.answer.again
                return None
            if verdict.answer:
                return ruling_of(verdict.answer)
            if not self._may_be_held(event, task):
                return fall_back(task.review, self._settings.review_fallback)
            await self._hold(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _may_be_held(self, event: ReviewEvent, task: ReviewTask) -> bool:
        settings = self._settings
        age_s = (datetime.now(UTC) - task.published).total_seconds()
        return (
            settings.review_fallback == "hold"
            and age_s < settings.review_hold_s
            and event.rounds < settings.review_hold_rounds
        )

    async def _hold(self, pause_s: float) -> None:
        """Wait for `pause_s`.

        Raises:
            Released: the event is recalled meanwhile.
        """
        self._held += 1
        try:
            async with asyncio.timeout(pause_s):
                await self._recalled.wait()
        except TimeoutError:
            return
        finally:
            self._held -= 1
        raise Released
