"""Queries that wait for people, in a file that several processes use at once.

    review agent ── add ──► waiting ── lease, decide ──► decided ──► the agent publishes ── finish ──► gone
                               │    (people)                              ▲
                               └── nobody decided in time ──► overdue ────┘

Whoever wants to decide a review takes a lease first, and nobody else can take it until that expires or is given back.
So two people never work on one review, and the first decision is the only one. Leases go by the clock of the machine
that has the file.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import msgspec

from sluicegate.agents.review_queue.database import DONE, QUEUED, REVIEW_QUEUE, done, queued, row_of
from sluicegate.agents.review_queue.records import (
    DecidedReview,
    NewReview,
    PersonsDecision,
    QueuedReview,
    QueueStatistics,
    checked_name,
)
from sluicegate.agents.settings import Settings
from sluicegate.agents.spool.files import make_private
from sluicegate.agents.sqlite_file import number, transaction
from sluicegate.schemas.errors import ConfigurationError, RequestRefused, ReviewQueueFailed, ReviewQueueFull
from sluicegate.schemas.events import Position
from sluicegate.schemas.vocabulary import Category

_FREE: Final = "state = 'waiting' AND place > :after AND (holder IS NULL OR lease_until_ms <= :now)"
_OWN: Final = "state = 'waiting' AND place > :after AND holder = :reviewer"


class ReviewQueue:
    """The review queue in one file. Threads may share it; every method blocks for the disk.

    What a method has done survives kill -9 and a power failure. Every method raises ReviewQueueFailed when the file
    cannot be used.
    """

    def __init__(
        self,
        path: Path,
        *,
        lease_s: float,
        max_events: int,
        retention_s: float,
        make: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the queue at `path`; with `make`, a missing file is made, readable for its owner only.

        `lease_s`: how long a lease lasts. `max_events`: how many reviews are kept at most. `retention_s`: how long the
        id of a finished review is kept. `clock` gives seconds since 1970.

        Raises:
            ReviewQueueFailed: the file is missing, corrupt, or cannot be opened.
            ConfigurationError: it is something else.
        """
        self.path = path
        self._lease_ms = round(lease_s * 1000)
        self._max_events = max_events
        self._retention_ms = round(retention_s * 1000)
        self._clock = clock
        self._mutex = threading.Lock()
        with REVIEW_QUEUE.errors(path):
            if make:
                make_private(path)
            else:
                self._require(path)
            self._connection = REVIEW_QUEUE.open_for_writing(path)
            self._connection.execute("PRAGMA secure_delete=ON")  # queries that are done leave no trace in the file

    @classmethod
    def open(cls, settings: Settings, *, make: bool = False) -> Self:
        """The queue of `settings`. Raises what the constructor does.

        Raises:
            ConfigurationError: no file is named.
        """
        if settings.review_queue is None:
            raise ConfigurationError("no file for the review queue: set SLUICE_REVIEW_QUEUE")
        return cls(
            settings.review_queue,
            lease_s=settings.review_queue_lease_s,
            max_events=settings.review_queue_max_events,
            retention_s=settings.review_queue_retention_s,
            make=make,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Closing twice does no harm."""
        with self._mutex:
            self._connection.close()

    def add(self, reviews: Sequence[NewReview]) -> int:
        """Keep `reviews`, all or none; returns how many are new. One that is there, or was lately, is not kept again.

        Raises:
            ReviewQueueFull: there would be more than `max_events`.
        """
        rows = [row_of(review) for review in reviews]
        with self._writing() as database:
            added = database.executemany(
                "INSERT INTO reviews (id, published_ms, shown, agent) SELECT ?1, ?2, ?3, ?4 "
                "WHERE NOT EXISTS (SELECT 1 FROM finished WHERE id = ?1) ON CONFLICT (id) DO NOTHING",
                rows,
            ).rowcount
            if added and number(database, "SELECT count(*) FROM reviews") > self._max_events:
                raise ReviewQueueFull(
                    f"the review queue {self.path} is full: {self._max_events} events wait in it "
                    "(SLUICE_REVIEW_QUEUE_MAX_EVENTS)"
                )
        return added

    def source_of(self, review_id: str) -> Position | None:
        """Where the review event is that is kept under this id; None if there is none, or it is finished."""
        with self._reading() as database:
            found = database.execute(f"{QUEUED} WHERE id = ?", (review_id,)).fetchone()
        return None if found is None else queued(found, self._now_ms()).source

    def waiting(self, limit: int) -> list[QueuedReview]:
        """Up to `limit` reviews that nobody has decided, the oldest first."""
        now_ms = self._now_ms()
        with self._reading() as database:
            rows = database.execute(f"{QUEUED} WHERE state = 'waiting' ORDER BY place LIMIT ?", (limit,)).fetchall()
        return [queued(row, now_ms) for row in rows]

    def statistics(self) -> QueueStatistics:
        """How many reviews wait, and since when."""
        now_ms = self._now_ms()
        with self._reading() as database:
            oldest = database.execute(f"{QUEUED} WHERE state = 'waiting' ORDER BY place LIMIT 1").fetchone()
            (leased,) = database.execute(
                "SELECT count(*) FROM reviews WHERE state = 'waiting' AND holder IS NOT NULL AND lease_until_ms > ?",
                (now_ms,),
            ).fetchone()
            return QueueStatistics(
                waiting=number(database, "SELECT count(*) FROM reviews WHERE state = 'waiting'"),
                leased=leased,
                unpublished=number(database, "SELECT count(*) FROM reviews WHERE state <> 'waiting'"),
                oldest=None if oldest is None else queued(oldest, now_ms).published,
            )

    def lease_next(self, reviewer: str, *, after: int = 0) -> QueuedReview | None:
        """Lease the oldest review behind the place `after` that is free; None if there is none.

        A review that `reviewer` has a lease for comes first: its lease begins anew.
        """
        now_ms = self._now_ms()
        given = {"after": after, "now": now_ms, "reviewer": _name(reviewer)}
        with self._writing() as database:
            for condition in (_OWN, _FREE):
                found = database.execute(f"{QUEUED} WHERE {condition} ORDER BY place LIMIT 1", given).fetchone()
                if found:
                    return self._leased(database, found, given["reviewer"], now_ms)
        return None

    def lease(self, review_id: str, reviewer: str) -> QueuedReview:
        """Lease one review, or let the lease that `reviewer` has begin anew.

        Raises:
            RequestRefused: it is not there, it is decided, or somebody else has a lease.
        """
        reviewer, now_ms = _name(reviewer), self._now_ms()
        with self._writing() as database:
            found = database.execute(f"{QUEUED} WHERE id = ? AND state = 'waiting'", (review_id,)).fetchone()
            if found is None:
                raise self._not_waiting(database, review_id)
            review = queued(found, now_ms)
            if review.holder not in (None, reviewer):
                raise _held(review)
            return self._leased(database, found, reviewer, now_ms)

    def release(self, review_id: str, reviewer: str) -> None:
        """Give a lease back. Giving back what one does not have changes nothing."""
        with self._writing() as database:
            database.execute(
                "UPDATE reviews SET holder = NULL, lease_until_ms = NULL "
                "WHERE id = ? AND state = 'waiting' AND holder = ?",
                (review_id, _name(reviewer)),
            )

    def decide(self, review_id: str, reviewer: str, decision: PersonsDecision) -> PersonsDecision:
        """Decide a review, and return the decision with its category.

        The lease may have expired, if nobody else took it. Deciding again in the same way changes nothing.

        Raises:
            RequestRefused: it is not there, it is decided, `reviewer` has no lease, or the category is missing.
        """
        reviewer, now_ms = _name(reviewer), self._now_ms()
        with self._writing() as database:
            found = database.execute(f"{QUEUED} WHERE id = ? AND state = 'waiting'", (review_id,)).fetchone()
            if found is None:
                if same := self._same_decision(database, review_id, reviewer, decision):
                    return same
                raise self._not_waiting(database, review_id)
            holder, review = found[4], queued(found, now_ms)
            if holder != reviewer:
                raise _held(review) if review.holder else _not_leased(review_id)
            decision = _complete(decision, review)
            database.execute(
                "UPDATE reviews SET state = 'decided', reviewer = ?, decision = ? WHERE id = ?",
                (reviewer, msgspec.json.encode(decision), review_id),
            )
            return decision

    def decided(self, limit: int) -> list[DecidedReview]:
        """Up to `limit` decided reviews that are not finished, the oldest first."""
        with self._reading() as database:
            rows = database.execute(f"{DONE} ORDER BY place LIMIT ?", ("decided", limit)).fetchall()
        return [done(row) for row in rows]

    def overdue(self, limit: int, *, max_age_s: float) -> list[DecidedReview]:
        """Up to `limit` reviews that nobody decided within `max_age_s`, the oldest first. From now on nobody can.

        A review that somebody has a lease for is not taken away: the lease ends first.
        """
        now_ms = self._now_ms()
        with self._writing() as database:
            database.execute(
                "UPDATE reviews SET state = 'overdue' WHERE state = 'waiting' AND published_ms <= ? "
                "AND (holder IS NULL OR lease_until_ms <= ?)",
                (now_ms - round(max_age_s * 1000), now_ms),
            )
            rows = database.execute(f"{DONE} ORDER BY place LIMIT ?", ("overdue", limit)).fetchall()
        return [done(row) for row in rows]

    def finish(self, review_ids: Sequence[str]) -> None:
        """Delete reviews whose decision is published, and keep their ids for a while."""
        now_ms = self._now_ms()
        with self._writing() as database:
            for review_id in review_ids:
                deleted = database.execute("DELETE FROM reviews WHERE id = ? AND state <> 'waiting'", (review_id,))
                if deleted.rowcount:
                    database.execute("INSERT OR REPLACE INTO finished VALUES (?, ?)", (review_id, now_ms))
            database.execute("DELETE FROM finished WHERE finished_ms < ?", (now_ms - self._retention_ms,))

    def _leased(
        self, database: sqlite3.Connection, found: tuple[object, ...], reviewer: object, now_ms: int
    ) -> QueuedReview:
        until_ms = now_ms + self._lease_ms
        place, *content = found[:4]
        database.execute(
            "UPDATE reviews SET holder = ?, lease_until_ms = ? WHERE place = ?", (reviewer, until_ms, place)
        )
        return queued((place, *content, reviewer, until_ms), now_ms)

    def _same_decision(
        self, database: sqlite3.Connection, review_id: str, reviewer: str, decision: PersonsDecision
    ) -> PersonsDecision | None:
        """The decision that `reviewer` has made, if it is this one: an answer may have been lost on its way."""
        row = database.execute(f"{DONE} AND id = ? AND reviewer = ?", ("decided", review_id, reviewer)).fetchone()
        made = done(row).decision if row else None
        same = made and made.allow == decision.allow and (decision.category in (None, made.category))
        return made if same else None

    def _not_waiting(self, database: sqlite3.Connection, review_id: str) -> RequestRefused:
        row = database.execute("SELECT reviewer FROM reviews WHERE id = ?", (review_id,)).fetchone()
        if row:
            by = f"{row[0]} has decided it" if row[0] else "nobody decided it in time"
            return RequestRefused("conflict", f"{review_id} does not wait any more: {by}")
        if database.execute("SELECT 1 FROM finished WHERE id = ?", (review_id,)).fetchone():
            return RequestRefused("conflict", f"{review_id} does not wait any more: it is decided")
        return RequestRefused("not_found", "no review has this id: `sluice review list` shows those that wait")

    @staticmethod
    def _require(path: Path) -> None:
        if not path.exists():
            raise ReviewQueueFailed(
                f"there is no review queue {path}: start the review worker first "
                f"(SLUICE_REVIEWERS=people SLUICE_REVIEW_QUEUE={path} sluice worker review)"
            )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._mutex, REVIEW_QUEUE.errors(self.path), transaction(self._connection):
            yield self._connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._mutex, REVIEW_QUEUE.errors(self.path):
            yield self._connection

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)


def _name(reviewer: str) -> str:
    try:
        return checked_name(reviewer)
    except ValueError as error:
        raise RequestRefused("invalid_request", str(error)) from None


def _complete(decision: PersonsDecision, review: QueuedReview) -> PersonsDecision:
    """`decision` with a category exactly if it denies: by default that of the review.

    Raises:
        RequestRefused: there is none, or one too many.
    """
    if decision.allow:
        if decision.category is not None:
            raise RequestRefused("invalid_field", "an allowed query has no category", field="$.category")
        return decision
    if decision.category is not None:
        return decision
    if review.review.category not in set(Category):
        raise RequestRefused("invalid_field", f"name the category: one of {', '.join(Category)}", field="$.category")
    return msgspec.structs.replace(decision, category=Category(review.review.category))


def _held(review: QueuedReview) -> RequestRefused:
    until = f"{review.lease_until:%H:%M:%S} UTC" if review.lease_until else "its lease expires"
    return RequestRefused("conflict", f"{review.holder} has a lease for {review.id} until {until}")


def _not_leased(review_id: str) -> RequestRefused:
    return RequestRefused("conflict", f"take a lease first: `sluice review show {review_id}`")
