"""People as a reviewer: the review queue, as the review agent uses it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Self

import msgspec

from sluicegate.agents.review.reviewer import Asked, HandedOver, ReviewDecision, ReviewTask, Unanswered
from sluicegate.agents.review_queue import DecidedReview, NewReview, ReviewQueue, review_id
from sluicegate.agents.settings import Settings
from sluicegate.agents.spool.files import FileLock
from sluicegate.schemas.errors import ReviewQueueFailed, ReviewQueueFull, SpoolFailed
from sluicegate.schemas.events import AskedReviewer
from sluicegate.schemas.headers import REPLAY_OF


class _Kept(msgspec.Struct, frozen=True):
    """What a task has and people do not see."""

    key: bytes | None
    headers: list[tuple[str, bytes | None]]
    input_hash: str


_decode_kept: Final = msgspec.json.Decoder(_Kept).decode


class QueueDesk:
    """Keeps tasks in the review queue until people have decided them. Use it on one event loop."""

    def __init__(self, queue: ReviewQueue, *, max_age_s: float) -> None:
        self.queue = queue
        """For the HTTP API, through which people decide too."""
        self.waiting = 0
        """Events that wait for people, when `decided` was last called."""
        self._max_age_s = max_age_s

    @classmethod
    @asynccontextmanager
    async def running(cls, settings: Settings) -> AsyncIterator[Self]:
        """The desk of `settings`, with its file open. One process at a time publishes the decisions of a file.

        Raises:
            ConfigurationError: no file is named, or it is something else.
            ReviewQueueFailed: the file cannot be used, or another review worker has it.
        """
        queue = await asyncio.to_thread(ReviewQueue.open, settings, make=True)
        with queue:
            refusal = f"the review queue {queue.path} is in use: one review worker at a time can publish its decisions"
            try:
                lock = FileLock(Path(f"{queue.path}.lock"), refusal=refusal)
            except SpoolFailed as error:
                raise ReviewQueueFailed(str(error)) from None
            try:
                yield cls(queue, max_age_s=settings.review_queue_max_age_s)
            finally:
                lock.release()

    async def hand_over(self, task: ReviewTask, asked: Sequence[Asked]) -> HandedOver:
        """Keep `task` on disk, once for each event: see `review_id`.

        Raises:
            Unanswered: the queue is full, or cannot be used.
        """
        new = NewReview(
            id=_id_of(task),
            review=task.review,
            source=task.source,
            published=task.published,
            asked=[AskedReviewer(reviewer=each.reviewer, reason=each.reason) for each in asked],
            agent=msgspec.json.encode(_Kept(task.key, task.headers, task.input_hash)),
        )
        try:
            added = await asyncio.to_thread(self.queue.add, [new])
            kept_from = task.source if added else await asyncio.to_thread(self.queue.source_of, new.id)
        except ReviewQueueFull as error:
            raise Unanswered("queue_full", str(error)) from None
        except ReviewQueueFailed as error:
            raise Unanswered("queue_failed", str(error)) from None
        return HandedOver(again=kept_from != task.source)

    async def decided(self, limit: int) -> list[tuple[ReviewTask, ReviewDecision]]:
        """Up to `limit` tasks that people have decided and that are not published yet, oldest first."""
        self.waiting = (await asyncio.to_thread(self.queue.statistics)).waiting
        found = await asyncio.to_thread(self.queue.decided, limit)
        return [(_task_of(review), _decision_of(review)) for review in found]

    async def overdue(self, limit: int) -> list[ReviewTask]:
        """Up to `limit` tasks that nobody decided in time, oldest first. From now on people cannot decide them."""
        found = await asyncio.to_thread(self.queue.overdue, limit, max_age_s=self._max_age_s)
        return [_task_of(review) for review in found]

    async def published(self, task: ReviewTask) -> None:
        """Note that every output of `task` is acknowledged. It was decided; it is not returned again."""
        await asyncio.to_thread(self.queue.finish, [_id_of(task)])


def _id_of(task: ReviewTask) -> str:
    replayed = any(name == REPLAY_OF for name, _ in task.headers)
    return review_id(task.review, replayed_at=task.source if replayed else None)


def _task_of(review: DecidedReview) -> ReviewTask:
    kept = _decode_kept(review.agent)
    return ReviewTask(
        review=review.review,
        source=review.source,
        key=kept.key,
        headers=kept.headers,
        published=review.published,
        input_hash=kept.input_hash,
    )


def _decision_of(review: DecidedReview) -> ReviewDecision:
    if review.decision is None or review.reviewer is None:
        raise ValueError("a decided review has a decision")
    return ReviewDecision(
        allow=review.decision.allow,
        category=review.decision.category,
        reviewer=f"people:{review.reviewer}",
        kind="people",
        rationale=review.decision.rationale,
    )
