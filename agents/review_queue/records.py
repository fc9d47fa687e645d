"""What the review queue holds, and what people see of it, on the command line and over HTTP."""

from datetime import datetime
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from sluicegate.schemas.events import AskedReviewer, Label, Position, Review
from sluicegate.schemas.vocabulary import Category

Rationale = Annotated[str, Meta(min_length=1, max_length=4096, description="Why, for people.")]


class NewReview(Struct, frozen=True, kw_only=True):
    """A review event to keep. `id` identifies it: a second one of the same id is not kept."""

    id: str
    review: Review
    source: Position
    published: datetime
    asked: list[AskedReviewer]
    agent: bytes
    """What the review agent needs to publish the decision; nobody else reads it."""


class QueuedReview(Struct, frozen=True, kw_only=True):
    """A review event that waits for people."""

    id: Annotated[str, Meta(description="Id in the queue: 16 hexadecimal digits.")]
    place: Annotated[int, Meta(description="Place in the order in which events were added.")]
    published: Annotated[datetime, Meta(description="When the gate published the event: it waits since then.")]
    holder: Annotated[str | None, Meta(description="Who has the lease. Null: nobody, or it has expired.")]
    lease_until: Annotated[datetime | None, Meta(description="When the lease expires.")]
    source: Annotated[Position, Meta(description="Where the review event is.")]
    asked: Annotated[list[AskedReviewer], Meta(description="Reviewers that were asked before, and had no answer.")]
    review: Annotated[Review, Meta(description="The review event. For an appeal, `appeal` says what was blocked.")]


class PersonsDecision(Struct, frozen=True, kw_only=True):
    """What a person decided. A denied query has a category, an allowed one has none."""

    allow: Annotated[bool, Meta(description="True: the query is allowed. False: it is blocked.")]
    rationale: Rationale
    category: Annotated[
        Category | None, Meta(description="Why the query is unsafe. Default: the category of the review event.")
    ] = None


class DecidedReview(Struct, frozen=True, kw_only=True):
    """A review that people are done with, to be published. Without a `decision` nobody decided it in time."""

    id: str
    review: Review
    source: Position
    published: datetime
    agent: bytes
    decision: PersonsDecision | None
    reviewer: str | None


class QueueStatistics(Struct, frozen=True, kw_only=True):
    """How many events wait."""

    waiting: Annotated[int, Meta(description="Events that nobody has decided.")]
    leased: Annotated[int, Meta(description="Of these, the events that somebody has a lease for.")]
    unpublished: Annotated[int, Meta(description="Decided events that are not published yet.")]
    oldest: Annotated[datetime | None, Meta(description="When the oldest waiting event was published.")]


def review_id(review: Review, *, replayed_at: Position | None = None) -> str:
    """The id of `review` in the queue: the same for every redelivery, also of the raw record.

    An event id alone is not enough: a producer may use one for several queries. An appeal is another review than the
    one before it, and so is a replay: `replayed_at` is where its review event is.
    """
    parts = [review.event_id, review.query, review.appeal is not None, replayed_at and str(replayed_at)]
    return sha256(msgspec.json.encode(parts)).hexdigest()[:16]


def checked_name(name: str) -> str:
    """`name` as a reviewer's name.

    Raises:
        ValueError: it is empty, too long, or has characters that cannot be seen.
    """
    name = name.strip()
    if not name.isprintable():
        raise ValueError("a reviewer's name has no control characters")
    try:
        return msgspec.convert(name, Label)
    except msgspec.ValidationError:
        raise ValueError("a reviewer's name has 1 to 200 characters") from None
