"""What the routes of reviews take and answer."""

from typing import Annotated

from msgspec import Meta, Struct

from sluicegate.agents.review_queue import QueuedReview, QueueStatistics
from sluicegate.agents.review_queue.records import Rationale
from sluicegate.schemas.events import EventId, Position, Timestamp

MOST_LISTED = 100


class ReviewList(Struct, frozen=True, kw_only=True):
    """What waits."""

    statistics: QueueStatistics
    reviews: Annotated[list[QueuedReview], Meta(description=f"The oldest first, at most {MOST_LISTED}.")]


class NextReview(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks for the oldest event that is free."""

    after: Annotated[
        int, Meta(ge=0, description="Only events behind this place: pass the `place` of one that you skip.")
    ] = 0


class LeasedReview(Struct, frozen=True, kw_only=True):
    """An event that is reserved for whoever asked."""

    review: Annotated[QueuedReview | None, Meta(description="The event. Null: none is free.")]


class NoOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An empty object."""


class AppealRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks people to decide a blocked query again."""

    event_id: EventId
    reason: Rationale
    since: (
        Annotated[
            Timestamp, Meta(description="Look for the blocked event from this time on. Default: in the whole topic.")
        ]
        | None
    ) = None


class AppealAnswer(Struct, frozen=True, kw_only=True):
    """An appeal that waits for people."""

    event_id: EventId
    published: Annotated[Position, Meta(description="Where the review event of the appeal is.")]
