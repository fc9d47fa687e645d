"""A second compiled model in this process as a reviewer: the same engine, with a micro-batcher of its own.

It decides as the gate does, by the thresholds of its own manifest: in all readings, and without the gate's policy file,
whose thresholds and lists have had their say. What it would send to review it leaves to the next reviewer.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Self

from sluicegate.agents.deciding.decider import Decider, load_engine
from sluicegate.agents.deciding.live_policies import LivePolicies
from sluicegate.agents.review.prompt import Prompt, rewrites_of
from sluicegate.agents.review.reviewer import Asked, ReviewDecision, ReviewerKind, ReviewTask, Unanswered
from sluicegate.agents.settings import Settings
from sluicegate.models.inference.judge import Judge
from sluicegate.models.inference.policy import SEVERITY, PolicyResult, Verdict
from sluicegate.schemas.errors import ConfigurationError, ContractError


def reviewing(settings: Settings) -> Settings:
    """`settings` for the engine of the reviewer."""
    if settings.review_model is None:
        raise ConfigurationError("SLUICE_REVIEWERS names `model`: name the compiled model in SLUICE_REVIEW_MODEL")
    return settings.model_copy(
        update={
            "model": settings.review_model,
            "policy": None,
            "thresholds": {},
            "deadline_ms": settings.review_deadline_ms,
            "shed_after_ms": 0,
            "fail": "closed",
        }
    )


def load_reviewer(settings: Settings) -> Judge:
    """The engine of SLUICE_REVIEW_MODEL.

    Raises:
        CompiledModelError: it cannot be served.
    """
    return load_engine(reviewing(settings))


class ModelReviewer:
    """Asks a compiled model in this process. Made by `running`."""

    kind: ReviewerKind = "model"

    def __init__(self, decider: Decider[None]) -> None:
        manifest = decider.engine.manifest
        self.name = f"model:{manifest.model_version}"
        self._prompt_version = manifest.prompt_version
        self._decider = decider

    @classmethod
    @asynccontextmanager
    async def running(cls, engine: Judge, settings: Settings) -> AsyncIterator[Self]:
        """A reviewer with its micro-batcher running."""
        async with Decider[None].running(engine, reviewing(settings), policies=LivePolicies(None)) as decider:
            yield cls(decider)

    @property
    def queue_depth(self) -> int:
        """Queries that wait for the engine."""
        return self._decider.queue_depth

    def warnings(self) -> list[str]:
        """What of it has failed and will be restarted, one sentence each."""
        return self._decider.warnings()

    async def review(self, task: ReviewTask, asked: Sequence[Asked], *, deadline: float) -> ReviewDecision:
        """The model's decision about the query, and about what would be searched for instead: the stricter one counts.

        Raises:
            Unanswered: it did not answer in time, or it would send the query to review.
        """
        review = task.review
        return await self._decide([review.query, *rewrites_of(review)], review.context.locale, deadline)

    async def check(self, prompt: Prompt, *, deadline: float) -> None:
        """Ask about the two canaries of `prompt`; see `ApiReviewer.check`."""
        for query, allow in ((prompt.canary.allow, True), (prompt.canary.deny, False)):
            if (await self._decide([query], None, deadline)).allow is not allow:
                expected = "allowed" if allow else "denied"
                raise Unanswered("canary", f"{self.name} did not answer that a canary query is to be {expected}")

    async def _decide(self, texts: Sequence[str], locale: str | None, deadline: float) -> ReviewDecision:
        left_ms = (deadline - asyncio.get_running_loop().time()) * 1000
        if left_ms <= 0:
            raise Unanswered("timed_out", f"{self.name} was not asked before the deadline")
        try:
            decisions = await asyncio.gather(
                *(self._decider.decide(text, None, locale=locale, deadline_ms=left_ms) for text in texts)
            )
        except ContractError:
            raise Unanswered("empty", f"{self.name} cannot judge a query of which nothing is left") from None
        if failed := next((decision.degraded for decision in decisions if decision.degraded), None):
            raise Unanswered(_REASONS.get(failed, "failed"), f"{self.name} did not answer: {failed}")
        worst = max((decision.model_result.policy_result for decision in decisions), key=_severity)
        if worst.verdict is Verdict.REVIEW or (worst.verdict is Verdict.BLOCK and worst.category is None):
            raise Unanswered("unsure", f"{self.name} would send the query to review")
        tokens = [decision.tokens for decision in decisions]
        return ReviewDecision(
            allow=worst.verdict is Verdict.ALLOW,
            category=worst.category,
            reviewer=self.name[:200],
            kind=self.kind,
            rationale=worst.reason,
            prompt_version=self._prompt_version,
            input_tokens=sum(each.input for each in tokens),
            output_tokens=sum(each.output for each in tokens),
        )


_REASONS: Final = {"DeadlineExceeded": "timed_out", "Overloaded": "no_turn"}


def _severity(result: PolicyResult) -> int:
    return SEVERITY[result.verdict]
