"""What is wrong with a worker, in sentences: for /healthz, /readyz, the log and SIGUSR1.

/healthz is the liveness probe. It fails for what only a new process can fix, so that an orchestrator restarts the
worker. /readyz fails for as long as no event would be decided; most of its reasons lie in Kafka, and pass.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NamedTuple

import orjson

from sluicegate.agents.http.observing import Page
from sluicegate.agents.process.state import WorkerState
from sluicegate.agents.status.notices import SOON_S
from sluicegate.agents.status.reporter import READY
from sluicegate.agents.status.snapshot import Notice
from sluicegate.agents.status.standing import Standing
from sluicegate.agents.telemetry.levels import WorkerLevels
from sluicegate.agents.time_budget import LATE_S, TimeBudget
from sluicegate.schemas.version import VERSION

logger = logging.getLogger(__name__)

_LOG_EVERY_S: Final = 30.0
_REPORT_EVERY_S: Final = 5.0


STOPPING: Final = "stopping"
_KAFKA_REMEDY: Final = "Look at the brokers. The worker recovers by itself, and nothing is lost."
_STUCK_REMEDY: Final = "Let the liveness probe restart the worker, or restart it: nothing is lost. Keep its log."
TASK_REMEDY: Final = "It is tried again by itself. If this stays, read the log, restart the worker and report it."
POLICY_REMEDY: Final = "Correct the file. Until then events are decided as before."


class _Reason(NamedTuple):
    """Why no event would be decided now, and what to do."""

    what: str
    remedy: str


class Health:
    """Judges the state of one worker. Its methods only read: call them on the worker's event loop."""

    def __init__(self, state: Callable[[], WorkerState], budget: TimeBudget) -> None:
        self._state = state
        self._budget = budget

    def problems(self) -> list[str]:
        """What only a new process can fix. The event loop runs, since it answers, but something else does not."""
        return _problems(self._state(), self._budget)

    def reasons_not_ready(self) -> list[str]:
        """Why no event would be decided now."""
        return [reason.what for reason in self._reasons()]

    def standing(self) -> Standing:
        """What the status page says: the reasons and warnings of the probes, and what to do about each."""
        state = self._state()
        reasons = self._reasons()
        late = {
            f"Kafka has not answered for {state.silent_s:.0f} s": SOON_S < state.silent_s <= LATE_S,
            f"Kafka has confirmed no commit for {state.commit_late_s:.0f} s": state.silent_s
            <= SOON_S
            < state.commit_late_s,
        }
        return Standing(
            state=READY if not reasons else STOPPING.capitalize() if state.stopping else "Not ready",
            notices=(
                *(Notice(sentence_of(reason.what), reason.remedy, serious=True) for reason in reasons),
                *(Notice(sentence_of(what), _KAFKA_REMEDY, serious=True) for what, applies in late.items() if applies),
                *(Notice(sentence_of(warning), POLICY_REMEDY) for warning in state.policy_warnings),
            ),
            models=state.models or "none yet",
            policy=state.policy or "the model's thresholds",
            in_flight=state.in_flight,
            oldest_event_s=state.oldest_event_s,
            model_busy_s=state.model_busy_s,
            event_age_s=state.event_age_s or 0.0,
            lags=state.lags,
        )

    def _reasons(self) -> list[_Reason]:
        state = self._state()
        reasons = {
            _Reason("the model is not loaded yet", "Wait a minute, then look at Kafka."): state.models is None,
            _Reason(
                "the group is not joined yet",
                "Wait for SLUICE_SESSION_TIMEOUT_MS, then look at Kafka: its group coordinator does not answer, or the "
                "group waits for a dead member.",
            ): not state.joined,
            _Reason(
                "partitions are being reassigned",
                "Wait. If it lasts, look for a worker that restarts again and again.",
            ): state.rebalancing,
            _Reason(f"Kafka has not answered for {state.silent_s:.0f} s", _KAFKA_REMEDY): state.silent_s > LATE_S,
            _Reason(
                "the producer can no longer publish", "Read the log, which says why Kafka refuses it, and restart."
            ): not state.can_publish,
            _Reason(STOPPING, "Nothing: a signal arrived."): state.stopping,
        }
        return [
            *(_Reason(problem, _STUCK_REMEDY) for problem in _problems(state, self._budget)),
            *(reason for reason, applies in reasons.items() if applies),
            *(_Reason(sentence, TASK_REMEDY) for sentence in state.failing_tasks),
        ]

    def levels(self) -> WorkerLevels:
        """What alerts watch. A lag that Kafka has not confirmed for LATE_S is not known any more."""
        state = self._state()
        known = tuple(lag for lag in state.lags if lag.age_s <= LATE_S)
        return WorkerLevels(not self.reasons_not_ready(), state.commit_late_s, known)

    async def report_levels(self, report: Callable[[WorkerLevels], None]) -> None:
        """Report the levels every few seconds. Does not return."""
        while True:
            report(self.levels())
            await asyncio.sleep(_REPORT_EVERY_S)

    def pages(self) -> dict[str, Page]:
        """The pages that the probe port serves, by path."""
        return {
            "/livez": lambda: self._page(self.problems()),
            "/healthz": lambda: self._page(self.problems()),
            "/readyz": lambda: self._page(self.reasons_not_ready()),
        }

    def log_state(self) -> None:
        """Log one line that says how the worker is."""
        state = self._state()
        logger.info(
            "state: %s; %d events in flight; models: %s; policy: %s",
            "; ".join(self.reasons_not_ready()) or "ready",
            state.in_flight,
            state.models or "none",
            "; ".join([state.policy or "the model's thresholds", *state.policy_warnings]),
        )

    async def log_when_not_ready(self) -> None:
        """Log why, twice a minute, for as long as no event would be decided. Does not return."""
        while True:
            await asyncio.sleep(_LOG_EVERY_S)
            if reasons := self.reasons_not_ready():
                logger.warning("not ready: %s", "; ".join(reasons))

    def _page(self, problems: list[str]) -> tuple[int, bytes]:
        state = self._state()
        warnings = [*state.failing_tasks, *state.policy_warnings]
        body = {
            "status": "; ".join(problems) or "ok",
            "in_flight": state.in_flight,
            "models": state.models,
            "policy": state.policy,
            "version": VERSION,
            **({"warnings": warnings} if warnings else {}),
        }
        return 503 if problems else 200, orjson.dumps(body)


def _problems(state: WorkerState, budget: TimeBudget) -> list[str]:
    limit_s = budget.stuck_after_s
    late = {
        "an event has been in flight": state.oldest_event_s,
        "nothing could be committed": state.commit_late_s,
    }
    return [
        f"{what} for {seconds:.0f} s, {limit_s:.0f} are allowed" for what, seconds in late.items() if seconds > limit_s
    ]


def sentence_of(reason: str) -> str:
    """`reason`, as in a log line, as a sentence."""
    return f"{reason[:1].upper()}{reason[1:]}."
