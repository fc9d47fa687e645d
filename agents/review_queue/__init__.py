"""The review queue: queries on disk that wait for people, and what people decided. See docs/review.md."""

from sluicegate.agents.review_queue.queue import ReviewQueue
from sluicegate.agents.review_queue.records import (
    DecidedReview,
    NewReview,
    PersonsDecision,
    QueuedReview,
    QueueStatistics,
    review_id,
)

__all__ = [
    "DecidedReview",
    "NewReview",
    "PersonsDecision",
    "QueueStatistics",
    "QueuedReview",
    "ReviewQueue",
    "review_id",
]
