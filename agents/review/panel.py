"""The reviewers in their order: each is asked until one decides, all within one deadline.

Of the time that is left, each gets an equal share, so that the first cannot use up the time of the others. An appeal is
for people alone. A reviewer that has not answered its canary correctly is not asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sluicegate.agents.error_text import describe_error
from sluicegate.agents.review.api import ApiReviewer
from sluicegate.agents.review.model import ModelReviewer
from sluicegate.agents.review.prompt import Prompt
from sluicegate.agents.review.reviewer import Asked, HandedOver, ReviewDecision, Reviewer, ReviewTask, Unanswered
from sluicegate.agents.telemetry import EventSpan
from sluicegate.agents.telemetry.reviews import ReviewTelemetry

_MOST_LOGGED_CHARS: Final = 300
_UNAVAILABLE: Final = frozenset(
    {"unreachable", "timed_out", "broken_off", "busy", "server_error", "quota", "circuit_open", "budget", "no_turn"}
)
"""Why a canary could not be asked."""


@dataclass(frozen=True)
class Verdict:
    """What became of one round. `answer` of None: no reviewer decided."""

    answer: ReviewDecision | HandedOver | None
    unanswered: tuple[Asked, ...]


@dataclass
class Seat:
    """A reviewer, and why it is not asked: None once it has shown that it understands the prompt."""

    reviewer: Reviewer
    check: Callable[..., Awaitable[None]] | None
    distrust: str | None = field(default="its canary was not asked yet")
    unavailable: str | None = None
    """The reason, if its canary could not be asked: nothing is known about what it understands."""


class Panel:
    """Asks reviewers. Used on one event loop."""

    def __init__(self, reviewers: Sequence[Reviewer], prompt: Prompt, telemetry: ReviewTelemetry) -> None:
        self._seats = [_seat(reviewer, prompt) for reviewer in reviewers]
        self._telemetry = telemetry

    @property
    def names(self) -> list[str]:
        """Who is on it, in order."""
        return [seat.reviewer.name for seat in self._seats]

    @property
    def checked(self) -> list[str]:
        """Who has answered its canary queries. People are not asked them."""
        return [seat.reviewer.name for seat in self._seats if seat.check and seat.distrust is None]

    @property
    def trusted(self) -> bool:
        """Whether at least one reviewer may be asked."""
        return any(seat.distrust is None for seat in self._seats)

    @property
    def misunderstands(self) -> bool:
        """Whether no reviewer may be asked because of what they answer, rather than because they cannot be reached."""
        return not self.trusted and not any(seat.unavailable for seat in self._seats)

    def warnings(self) -> list[str]:
        """The reviewers that are not asked, and why, one sentence each."""
        return [f"{seat.reviewer.name} is not asked: {seat.distrust}" for seat in self._seats if seat.distrust]

    async def check(self, within_s: float) -> None:
        """Ask the canaries of those that have not answered them correctly yet."""
        await asyncio.gather(*(self._check(seat, within_s) for seat in self._seats if seat.distrust))

    async def _check(self, seat: Seat, within_s: float) -> None:
        try:
            if seat.check:
                await seat.check(deadline=asyncio.get_running_loop().time() + within_s)
        except Unanswered as error:
            seat.distrust = str(error)[:_MOST_LOGGED_CHARS]
            seat.unavailable = error.reason if error.reason in _UNAVAILABLE else None
        except Exception as error:  # noqa: BLE001 - a reviewer that fails its canary is not asked, however it fails
            seat.distrust, seat.unavailable = describe_error(error), None
        else:
            seat.distrust = None

    async def ask(self, task: ReviewTask, span: EventSpan, *, within_s: float) -> Verdict:
        """One round: the first answer, and who had none before it."""
        now = asyncio.get_running_loop().time
        deadline = now() + within_s
        seats = [seat for seat in self._seats if not task.review.appeal or seat.reviewer.kind == "people"]
        unanswered: list[Asked] = []
        for place, seat in enumerate(seats):
            left = sum(each.reviewer.kind != "people" for each in seats[place:]) or 1
            share = now() + (deadline - now()) / left
            try:
                return Verdict(await self._ask(seat, task, tuple(unanswered), span, share), tuple(unanswered))
            except Unanswered as error:
                unanswered.append(Asked(reviewer=seat.reviewer.name[:200], reason=error.reason))
        return Verdict(None, tuple(unanswered))

    async def _ask(
        self, seat: Seat, task: ReviewTask, asked: Sequence[Asked], span: EventSpan, deadline: float
    ) -> ReviewDecision | HandedOver:
        if seat.distrust:
            raise Unanswered(seat.unavailable or "canary", seat.distrust)
        reviewer = seat.reviewer
        with self._telemetry.question(span, kind=reviewer.kind, name=reviewer.name) as question:
            try:
                answer = await reviewer.review(task, asked, deadline=deadline)
            except Unanswered as error:
                question.failed(error.reason)
                raise
            except Exception as error:
                question.failed("failed")
                raise Unanswered("failed", f"{reviewer.name} failed: {describe_error(error)}") from error
            if isinstance(answer, ReviewDecision):
                question.decided(allow=answer.allow, tokens=(answer.input_tokens, answer.output_tokens))
            return answer


def _seat(reviewer: Reviewer, prompt: Prompt) -> Seat:
    if isinstance(reviewer, ApiReviewer):
        return Seat(reviewer, reviewer.check)
    if isinstance(reviewer, ModelReviewer):
        return Seat(reviewer, partial(reviewer.check, prompt))
    return Seat(reviewer, None, None)
