"""The review of ``sluice up``: a person denies one query that the gate was not sure of."""

import contextlib
import time
from dataclasses import dataclass
from typing import Final

from sluicegate.agents.local.output_events import TIMEOUT_S, await_event
from sluicegate.agents.review_queue.queue import ReviewQueue
from sluicegate.agents.review_queue.records import PersonsDecision, QueuedReview
from sluicegate.agents.settings import Settings
from sluicegate.schemas.errors import ReviewQueueFailed

_REVIEWER: Final = "sluice-up"
_DENIED: Final = PersonsDecision(allow=False, rationale="an example")


@dataclass(frozen=True)
class DeniedQuery:
    """A query that waited for people, and why it is blocked now."""

    query: str
    category: str


def deny_one(settings: Settings) -> DeniedQuery | None:
    """Deny the oldest query of the review queue, and wait for what the review worker publishes. Blocks.

    None if there is nothing to review, or nothing was published, within a minute.
    """
    waiting = _lease(settings)
    if waiting is None:
        return None
    with ReviewQueue.open(settings) as queue:
        decided = queue.decide(waiting.id, _REVIEWER, _DENIED)
    event_id = waiting.review.event_id
    for topic in (settings.topic_reviewed, settings.topic_blocked):
        if await_event(settings, topic, event_id) is None:
            return None
    return DeniedQuery(waiting.review.query, decided.category or "none")


def _lease(settings: Settings) -> QueuedReview | None:
    """The oldest query in the queue, once the worker has made the file and put one there."""
    give_up = time.monotonic() + TIMEOUT_S
    while time.monotonic() < give_up:
        with contextlib.suppress(ReviewQueueFailed), ReviewQueue.open(settings) as queue:
            if waiting := queue.lease_next(_REVIEWER):
                return waiting
        time.sleep(0.2)
    return None
