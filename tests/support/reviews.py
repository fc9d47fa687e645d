"""Review events for tests."""

from datetime import UTC, datetime
from typing import Any

from sluicegate.agents.review_queue import NewReview, review_id
from sluicegate.schemas.events import Context, Position, Review, Threshold

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def make_review(event_id: str = "order-1", query: str = "you are a loser", **changes: Any) -> Review:
    """A review event of the gate."""
    fields: dict[str, Any] = {
        "event_id": event_id,
        "event_time": NOON,
        "processing_time": NOON,
        "model_version": "test@1",
        "prompt_version": "encoder-1",
        "policy_version": "model-thresholds@1",
        "query": query,
        "lexical": query,
        "semantic": query,
        "intent": "other",
        "synonyms": [],
        "facets": [],
        "reason_codes": ["review_threshold:harassment"],
        "degraded": False,
        "context": Context(user_id="u-1", surface="web"),
        "category": "harassment",
        "probabilities": {"allow": 0.2, "harassment": 0.7, "hate": 0.1},
        "reason": "review_threshold:harassment",
        "thresholds": {"harassment": Threshold(allow=0.3, block=1.1), "hate": Threshold(allow=0.3, block=0.96)},
    }
    return Review(**{**fields, **changes})


def make_new(number: int = 1, *, published: datetime = NOON, **changes: Any) -> NewReview:
    """The review event `number`, as the agent adds it to the queue."""
    review = make_review(changes.pop("event_id", f"order-{number}"), **changes)
    return NewReview(
        id=review_id(review),
        review=review,
        source=Position(topic="queries.review", partition=0, offset=number),
        published=published,
        asked=[],
        agent=b"{}",
    )
