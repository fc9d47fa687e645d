"""The SQLite database of the review queue: its form, and its rows as records.

A review is `waiting` until somebody decides it (`decided`) or its time is over (`overdue`). The agent publishes it
then, and deletes its row. Its id stays in `finished` for a while, so that a redelivered event is not reviewed again.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from sluicegate.agents.review_queue.records import (
    DecidedReview,
    NewReview,
    PersonsDecision,
    QueuedReview,
)
from sluicegate.agents.sqlite_file import DatabaseKind
from sluicegate.schemas.errors import ReviewQueueFailed
from sluicegate.schemas.events import AskedReviewer, Position, Review

REVIEW_QUEUE: Final = DatabaseKind(
    name="review queue",
    setting="SLUICE_REVIEW_QUEUE",
    application_id=0x534C5251,
    format=1,
    schema="""
CREATE TABLE reviews (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    published_ms INTEGER NOT NULL,
    shown BLOB NOT NULL,
    agent BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'decided', 'overdue')),
    holder TEXT,
    lease_until_ms INTEGER,
    reviewer TEXT,
    decision BLOB
) STRICT;
CREATE INDEX waiting ON reviews (place) WHERE state = 'waiting';
CREATE INDEX done ON reviews (place) WHERE state <> 'waiting';
CREATE INDEX held ON reviews (holder) WHERE holder IS NOT NULL;
CREATE INDEX ages ON reviews (published_ms) WHERE state = 'waiting';
CREATE TABLE finished (id TEXT PRIMARY KEY, finished_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX finished_at ON finished (finished_ms);
""",
    failure=ReviewQueueFailed,
)

QUEUED: Final = "SELECT place, id, published_ms, shown, holder, lease_until_ms FROM reviews"
DONE: Final = (
    "SELECT id, published_ms, shown, agent, decision, reviewer FROM reviews WHERE state <> 'waiting' AND state = ?"
)


class _Shown(msgspec.Struct, frozen=True):
    """What people see of a review, as its column has it."""

    review: Review
    source: Position
    asked: list[AskedReviewer]


_decode_shown: Final = msgspec.json.Decoder(_Shown).decode
_decode_decision: Final = msgspec.json.Decoder(PersonsDecision).decode


def row_of(new: NewReview) -> tuple[object, ...]:
    """The columns `id`, `published_ms`, `shown` and `agent`."""
    shown = msgspec.json.encode(_Shown(new.review, new.source, new.asked))
    return new.id, milliseconds(new.published), shown, new.agent


def queued(row: tuple[Any, ...], now_ms: int) -> QueuedReview:
    """The review in a row of `QUEUED`. A lease that has expired at `now_ms` is not shown."""
    place, review_id, published_ms, shown, holder, lease_until_ms = row
    content = _decode_shown(shown)
    leased = holder is not None and lease_until_ms > now_ms
    return QueuedReview(
        id=review_id,
        place=place,
        published=_time(published_ms),
        holder=holder if leased else None,
        lease_until=_time(lease_until_ms) if leased else None,
        source=content.source,
        asked=content.asked,
        review=content.review,
    )


def done(row: tuple[Any, ...]) -> DecidedReview:
    """The review in a row of `DONE`."""
    review_id, published_ms, shown, agent, decision, reviewer = row
    content = _decode_shown(shown)
    return DecidedReview(
        id=review_id,
        review=content.review,
        source=content.source,
        published=_time(published_ms),
        agent=agent,
        decision=None if decision is None else _decode_decision(decision),
        reviewer=reviewer,
    )


def milliseconds(time: datetime) -> int:
    """Milliseconds since 1970."""
    return round((time - _EPOCH) / timedelta(milliseconds=1))


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _time(since_1970_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=since_1970_ms)
