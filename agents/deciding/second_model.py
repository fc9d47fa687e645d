"""The second model: asked about what the screen is unsure of, in a way that never slows what the screen decides alone.

    the screen's decision ──► ask? ──► places ──► breaker ──► a decider of its own, with micro-batcher and cache
                              │ no     │ full    │ open        │ late, or it fails
                              ▼        ▼         ▼             ▼
                              └────────┴─────────┴─────────────┴──► the screen's verdict stands, and the event says why

When to ask, and what follows: `models.inference.cascade`. About each reading that the screen did not allow, the second
model is asked by thresholds of its own. What a list of the policy decided, or `SLUICE_FAIL`, is not put to it.

* Places: at most `SLUICE_SECOND_QUEUE_SIZE` events wait. The next is not asked about (`second:overloaded`).
* Time: `SLUICE_SECOND_DEADLINE_MS`, within the event's own deadline (`second:overloaded`).
* Breaker: where at least half of at least ten questions failed, or timed out while the model answered nobody, nobody
  waits for a model that hangs (`second:failed`). One question every few seconds finds out whether that is over. A model
  that has too much to do does not open it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic

from sluicegate.agents.breaker import Circuit, CircuitBreaker
from sluicegate.agents.deciding.asking import Answers
from sluicegate.agents.deciding.decider import Asked, Decider, OwnerT
from sluicegate.agents.deciding.decision import Decision, SecondOpinion
from sluicegate.agents.error_text import describe_error
from sluicegate.agents.settings import Settings
from sluicegate.models.artifacts.sampling import falls_within
from sluicegate.models.inference.cascade import AskedFor, CascadeRule
from sluicegate.models.inference.strictest import is_allowed, strictest
from sluicegate.schemas.errors import DeadlineExceeded, Overloaded
from sluicegate.schemas.reason_codes import LIST

logger = logging.getLogger(__name__)

_OPEN_S: Final = 5.0
"""How long nobody is asked once the breaker has opened."""
_SILENCE_S: Final = 60.0
_LATE: Final = (Overloaded, DeadlineExceeded)


class SecondModel(Generic[OwnerT]):
    """Asks the second model. Used on one event loop."""

    def __init__(
        self,
        choose: Callable[[str], Decider[OwnerT]],
        shadow: Callable[[str], Decider[OwnerT] | None],
        settings: Settings,
    ) -> None:
        """`choose` gives the decider of an event by its id; `shadow` the one in shadow, if it is to be tried on it."""
        self._choose = choose
        self._shadow = shadow
        self._rule = CascadeRule(settings.second_confirms, settings.second_may_block)
        self._sample = settings.second_sample
        self._deadline_s = settings.second_deadline_ms / 1000
        self._places = settings.second_queue_size
        self._waiting = 0
        self._silent_until: dict[str, float] = {}
        self._breaker = CircuitBreaker(open_s=_OPEN_S, changed=_log_circuit)

    @property
    def waiting(self) -> int:
        """Events that wait for its answer."""
        return self._waiting

    @property
    def circuit(self) -> Circuit:
        """Whether it is asked now."""
        return self._breaker.circuit

    def warnings(self) -> list[str]:
        """Why it is not asked at the moment, in one sentence."""
        if self.circuit is Circuit.CLOSED:
            return []
        return ["the second model does not answer: the verdicts of SLUICE_MODEL stand"]

    def samples(self, event_id: str) -> bool:
        """Whether this event is in the share that is asked about for measuring."""
        return falls_within(f"second:{event_id}", self._sample)

    def has_shadow(self, event_id: str) -> bool:
        """Whether a version in shadow is to be tried on this event."""
        return self._shadow(event_id) is not None

    async def complete(self, decision: Decision, asked: Asked[OwnerT]) -> Decision:
        """`decision` of the screen, with the second model's opinion where that is asked for."""
        screen = decision.model_result.policy_result
        by_list = screen.reason.startswith(f"{LIST.prefix}:")
        asked_for = None if by_list else self._rule.asked_for(screen, decision.readings)
        if asked_for is None and asked.trial == "sample":
            asked_for = AskedFor.SAMPLE
        if asked_for is None:
            return decision
        return decision.with_second(await self._ask(asked_for, decision, asked), self._rule)

    async def _ask(self, asked_for: AskedFor, decision: Decision, asked: Asked[OwnerT]) -> SecondOpinion:
        shadow = self._shadow(asked.event_id) if asked.trial == "shadow" else None
        decider = shadow or self._choose(asked.event_id)
        manifest = decider.engine.manifest
        policy = asked.policy.for_event(asked.surface, decider.engine.policy, second=True)
        doubtful = [reading for reading in decision.readings if not is_allowed(reading)] or decision.readings
        started = asyncio.get_running_loop().time()
        deadline = started + self._deadline_s
        cut_short = asked.by_producer and asked.deadline < deadline
        started_ns = time.time_ns()
        answers, error = await self._answers(
            lambda: decider.judge(doubtful, asked.owner, deadline=min(deadline, asked.deadline), policy=policy),
            may_be_late=lambda: cut_short or decider.answered_at > started,
        )
        if error:
            self._log(error)
        worst = strictest(answers.judged, policy.thresholds).result if answers and not error else None
        of_query = answers.answered[0] if answers else None
        return SecondOpinion(
            asked_for=asked_for,
            screened=decision.model_result.policy_result,
            outcome="answered" if worst else "overloaded" if isinstance(error, _LATE) else "failed",
            error=type(error).__name__ if error else None,
            model_version=manifest.model_version,
            prompt_version=manifest.prompt_version,
            policy_version=policy.version,
            thresholds=policy.thresholds,
            started_ns=started_ns,
            ended_ns=time.time_ns(),
            result=worst,
            readings=answers.judged if answers and worst else (),
            batches=answers.batches if answers else (),
            answered_by=of_query.source if of_query and worst else None,
        )

    async def _answers(
        self, ask: Callable[[], Awaitable[Answers]], *, may_be_late: Callable[[], bool]
    ) -> tuple[Answers | None, Exception | None]:
        """What `ask` gives, and why it is not a whole answer. A late one that `may_be_late` counts as nothing."""
        if self._waiting >= self._places:
            return None, Overloaded("too many events wait for the second model (SLUICE_SECOND_QUEUE_SIZE)")
        self._waiting += 1
        try:
            with self._breaker.question() as question:
                answers = await ask()
                if answers.error is None:
                    question.succeeded()
                elif not isinstance(answers.error, Overloaded) and not (
                    isinstance(answers.error, DeadlineExceeded) and may_be_late()
                ):
                    question.failed()
                return answers, answers.error
        except Exception as error:  # noqa: BLE001 - whatever fails here, the screen has decided the event
            return None, error
        finally:
            self._waiting -= 1

    def _log(self, error: Exception) -> None:
        """Log at most one line a minute for each kind of failure: a broken model fails on every event."""
        now, kind = time.monotonic(), type(error).__name__
        if now >= self._silent_until.get(kind, 0):
            self._silent_until[kind] = now + _SILENCE_S
            logger.error("deciding without the second model: %s", describe_error(error))


def _log_circuit(circuit: Circuit) -> None:
    if circuit is Circuit.OPEN:
        logger.error("the second model does not answer: it is asked again every %.0f s", _OPEN_S)
    else:
        logger.warning("the second model answers again")
