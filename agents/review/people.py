"""People as a reviewer: a query is handed over to their desk, and decided there later."""

from collections.abc import Sequence
from typing import Final

from sluicegate.agents.review.reviewer import Asked, HandedOver, ReviewDesk, ReviewerKind, ReviewTask


class PeopleReviewer:
    """Hands every task over."""

    kind: ReviewerKind = "people"
    name: Final = "people"

    def __init__(self, desk: ReviewDesk) -> None:
        self._desk = desk

    async def review(self, task: ReviewTask, asked: Sequence[Asked], *, deadline: float) -> HandedOver:
        """Keep the task for people.

        Raises:
            Unanswered: it cannot be kept.
        """
        return await self._desk.hand_over(task, asked)
