"""Candidates in shadow and samples for the second model, on what the HTTP API decides. No answer waits for them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from sluicegate.agents.deciding.decider import Decider
from sluicegate.agents.deciding.decision import Decision
from sluicegate.agents.deciding.live_models import LiveModels
from sluicegate.agents.deciding.second_report import report_second
from sluicegate.agents.deciding.trials import Tried, trials_of
from sluicegate.agents.error_text import describe_error
from sluicegate.agents.ledger.recording import Recorder
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry import EventSpan, Telemetry
from sluicegate.schemas.events import Context

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DecidedText:
    """A text that was decided, and what its audit record says about the request."""

    text: str
    event_id: str
    context: Context
    span: EventSpan


class Trials:
    """Decides texts once more, for the ledger and the metrics only. Used on one event loop."""

    def __init__(self, settings: Settings, telemetry: Telemetry, recorder: Recorder | None) -> None:
        self._most = settings.window
        self._telemetry = telemetry
        self._recorder = recorder
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def running(cls, settings: Settings, telemetry: Telemetry, recorder: Recorder | None) -> AsyncIterator[Self]:
        """Trials whose records `recorder` keeps. Those that have not ended at the end of the block are cancelled."""
        trials = cls(settings, telemetry, recorder)
        try:
            yield trials
        finally:
            for task in trials._tasks:
                task.cancel()
            await asyncio.gather(*trials._tasks, return_exceptions=True)

    @property
    def under_way(self) -> int:
        """Trials that have not ended."""
        return len(self._tasks)

    def start(
        self, models: LiveModels[EventSpan], decided: DecidedText, decider: Decider[EventSpan], decision: Decision
    ) -> None:
        """Start what is to be tried on `decided`, about which `decider` has made `decision`.

        What is too much at a time is left out. Without a ledger only samples for the second model are taken: they are
        in the metrics.
        """
        for tried in trials_of(models, decided.event_id, decider, decision):
            if len(self._tasks) < self._most and (self._recorder or tried.trial == "sample"):
                task = asyncio.create_task(self._decide(decided, tried), name="shadow")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _decide(self, decided: DecidedText, tried: Tried[EventSpan]) -> None:
        """Decide once more. If that fails, there is no ledger record."""
        context, span = decided.context, decided.span
        try:
            decision = await tried.decider.decide(
                decided.text,
                span,
                locale=context.locale,
                surface=context.surface,
                wait_for_place=False,
                policy=tried.policy,
                event_id=decided.event_id,
                trial=tried.trial,
            )
            if tried.trial and not decision.second:
                return
            if tried.trial == "sample":
                report_second(self._telemetry, span, decision)
            if self._recorder:
                await self._recorder.record(
                    decided.text,
                    decision,
                    tried.decider,
                    event_id=decided.event_id,
                    trace_id=span.trace_id,
                    headers=(("traceparent", span.traceparent),),
                    context=context,
                    shadow=True,
                )
        except Exception as error:  # noqa: BLE001 - the request was answered: no error of a trial may harm it
            logger.warning("no shadow of %s: %s", decided.event_id, describe_error(error))
