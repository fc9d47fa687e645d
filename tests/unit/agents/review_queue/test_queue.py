"""What the review queue keeps, who may decide a review, and what becomes of it."""

import sqlite3
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sluicegate.agents.review_queue import PersonsDecision, QueuedReview, ReviewQueue, review_id
from sluicegate.schemas.errors import ConfigurationError, RequestRefused, ReviewQueueFailed, ReviewQueueFull
from sluicegate.schemas.events import Appeal, Position
from sluicegate.schemas.vocabulary import Category
from tests.support.reviews import NOON, make_new, make_review

DENY = PersonsDecision(allow=False, rationale="an insult")
ALLOW = PersonsDecision(allow=True, rationale="a film title")


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOON.timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "review.queue"


Opener = Callable[..., ReviewQueue]


@pytest.fixture
def opened(path: Path, clock: Clock) -> Iterator[Opener]:
    """Opens the queue, to be closed after the test."""
    queues: list[ReviewQueue] = []

    def open_queue(*, max_events: int = 100, retention_s: float = 60) -> ReviewQueue:
        queues.append(
            ReviewQueue(path, lease_s=10, max_events=max_events, retention_s=retention_s, make=True, clock=clock)
        )
        return queues[-1]

    yield open_queue
    for queue in queues:
        queue.close()


@pytest.fixture
def queue(opened: Opener) -> ReviewQueue:
    """A queue with three reviews."""
    queue = opened()
    queue.add([make_new(1), make_new(2), make_new(3)])
    return queue


def next_of(queue: ReviewQueue, reviewer: str, *, after: int = 0) -> QueuedReview:
    found = queue.lease_next(reviewer, after=after)
    assert found is not None
    return found


def test_reviews_wait_in_the_order_in_which_they_were_added_and_survive_a_restart(
    queue: ReviewQueue, opened: Opener
) -> None:
    queue.close()
    waiting = opened().waiting(10)
    assert [each.review for each in waiting] == [make_review(f"order-{number}") for number in (1, 2, 3)]
    assert [each.source.offset for each in waiting] == [1, 2, 3]
    assert {(each.published, each.holder, each.lease_until) for each in waiting} == {(NOON, None, None)}
    assert opened().statistics().oldest == NOON


def test_a_redelivered_event_is_kept_once_also_after_its_decision_until_its_id_is_forgotten(
    opened: Opener, clock: Clock
) -> None:
    queue = opened(retention_s=60)
    assert queue.add([make_new(1), make_new(1)]) == 1
    assert queue.add([make_new(1)]) == 0
    queue.decide(next_of(queue, "anna").id, "anna", DENY)
    assert queue.add([make_new(1)]) == 0
    queue.finish([make_new(1).id])
    assert queue.add([make_new(1)]) == 0
    clock.now += 61
    queue.finish([])
    assert queue.add([make_new(1)]) == 1


def test_one_event_id_for_two_queries_is_two_reviews_and_so_are_an_appeal_and_a_replay() -> None:
    appeal = Appeal(blocked=Position(topic="b", partition=0, offset=1), gate="model", appellant="ann", rationale="-")
    review = make_review()
    ids = {
        review_id(review),
        review_id(make_review(query="another")),
        review_id(make_review(appeal=appeal)),
        review_id(review, replayed_at=Position(topic="queries.review", partition=0, offset=7)),
        review_id(review, replayed_at=Position(topic="queries.review", partition=0, offset=8)),
    }
    assert len(ids) == 5
    assert review_id(make_review(processing_time=NOON + timedelta(hours=1), model_version="other")) in ids


def test_a_full_queue_refuses_new_reviews_and_keeps_those_that_are_there(opened: Opener) -> None:
    queue = opened(max_events=2)
    queue.add([make_new(1), make_new(2)])
    with pytest.raises(ReviewQueueFull, match="SLUICE_REVIEW_QUEUE_MAX_EVENTS"):
        queue.add([make_new(3)])
    assert queue.add([make_new(2)]) == 0
    assert queue.statistics().waiting == 2


def test_two_people_get_different_reviews_and_each_gets_its_own_again(queue: ReviewQueue) -> None:
    anna, ben = next_of(queue, "anna"), next_of(queue, "ben")
    assert (anna.source.offset, ben.source.offset) == (1, 2)
    assert next_of(queue, "ben").id == ben.id
    assert next_of(queue, "ben", after=ben.place).source.offset == 3
    assert queue.lease_next("carl") is None
    assert queue.statistics().leased == 3


def test_nobody_else_can_take_decide_or_give_back_a_leased_review(queue: ReviewQueue) -> None:
    held = next_of(queue, "anna").id
    with pytest.raises(RequestRefused, match=r"anna has a lease for \w+ until 12:00:10 UTC") as refused:
        queue.lease(held, "ben")
    assert refused.value.code == "conflict"
    with pytest.raises(RequestRefused, match="anna has a lease"):
        queue.decide(held, "ben", DENY)
    queue.release(held, "ben")
    with pytest.raises(RequestRefused, match="anna has a lease"):
        queue.lease(held, "ben")
    queue.release(held, "anna")
    assert queue.lease(held, "ben").holder == "ben"


def test_an_expired_lease_is_taken_over_and_its_first_holder_can_no_longer_decide(
    queue: ReviewQueue, clock: Clock
) -> None:
    held = next_of(queue, "anna").id
    clock.now += 11
    assert queue.waiting(1)[0].holder is None
    assert next_of(queue, "ben").id == held
    with pytest.raises(RequestRefused, match="ben has a lease"):
        queue.decide(held, "anna", DENY)
    queue.decide(held, "ben", DENY)


def test_an_expired_lease_that_nobody_took_still_lets_its_holder_decide(queue: ReviewQueue, clock: Clock) -> None:
    held = next_of(queue, "anna").id
    clock.now += 1000
    queue.decide(held, "anna", DENY)
    assert [each.reviewer for each in queue.decided(9)] == ["anna"]


def test_a_lease_that_is_taken_again_begins_anew(queue: ReviewQueue, clock: Clock) -> None:
    held = next_of(queue, "anna").id
    clock.now += 9
    queue.lease(held, "anna")
    clock.now += 9
    assert queue.waiting(1)[0].holder == "anna"


def test_a_decision_needs_a_lease_and_is_final(queue: ReviewQueue) -> None:
    waiting = queue.waiting(1)[0].id
    with pytest.raises(RequestRefused, match="take a lease first"):
        queue.decide(waiting, "anna", DENY)
    queue.lease(waiting, "anna")
    assert queue.decide(waiting, "anna", DENY).category is Category.HARASSMENT
    assert queue.decide(waiting, "anna", DENY).category is Category.HARASSMENT  # its first answer may have been lost
    with pytest.raises(RequestRefused, match="anna has decided it"):
        queue.decide(waiting, "anna", ALLOW)
    with pytest.raises(RequestRefused, match="anna has decided it"):
        queue.lease(waiting, "ben")
    queue.finish([waiting])
    with pytest.raises(RequestRefused, match="it is decided"):
        queue.lease(waiting, "ben")
    with pytest.raises(RequestRefused, match="no review has this id"):
        queue.lease("0" * 16, "ben")


def test_a_denial_has_a_category_and_an_allowance_has_none(opened: Opener) -> None:
    queue = opened()
    queue.add([make_new(1, category=None, degraded=True), make_new(2)])
    first, second = next_of(queue, "anna").id, next_of(queue, "ben").id
    with pytest.raises(RequestRefused, match="name the category: one of hate, harassment"):
        queue.decide(first, "anna", DENY)
    with pytest.raises(RequestRefused, match="an allowed query has no category"):
        queue.decide(second, "ben", PersonsDecision(allow=True, rationale="-", category=Category.HATE))
    queue.decide(first, "anna", PersonsDecision(allow=False, rationale="-", category=Category.HATE))
    queue.decide(second, "ben", ALLOW)
    made = [each.decision for each in queue.decided(9)]
    assert made == [PersonsDecision(allow=False, rationale="-", category=Category.HATE), ALLOW]


def test_what_is_decided_waits_for_its_publication_and_is_then_gone(queue: ReviewQueue, path: Path) -> None:
    for number in (1, 2):
        queue.decide(next_of(queue, "anna").id, "anna", DENY if number == 1 else ALLOW)
    first, second = queue.decided(9)
    assert (first.review, first.agent) == (make_review("order-1"), b"{}")
    assert second.decision == ALLOW
    assert queue.decided(1) == [first]
    queue.finish([first.id, make_new(3).id])  # the third waits, so it stays
    assert queue.decided(9) == [second]
    assert queue.statistics().waiting == 1
    queue.finish([second.id])
    assert queue.decided(9) == []


def test_what_nobody_decides_in_time_is_overdue_and_can_no_longer_be_decided(opened: Opener, clock: Clock) -> None:
    queue = opened()
    queue.add([make_new(1), make_new(2), make_new(3, published=NOON + timedelta(seconds=50))])
    held = next_of(queue, "anna").id
    clock.now += 1
    queue.lease(held, "anna")
    clock.now += 5
    overdue = queue.overdue(9, max_age_s=5)
    assert [(each.source.offset, each.decision) for each in overdue] == [(2, None)]
    with pytest.raises(RequestRefused, match="nobody decided it in time"):
        queue.lease(overdue[0].id, "anna")
    queue.decide(held, "anna", DENY)
    queue.finish([overdue[0].id])
    assert queue.overdue(9, max_age_s=5) == []
    assert [each.source.offset for each in queue.waiting(9)] == [3]


def test_only_its_owner_can_read_the_file_and_a_finished_query_is_no_longer_in_it(opened: Opener, path: Path) -> None:
    secret = "the words of a person"
    queue = opened()
    queue.add([make_new(1, query=secret), make_new(2)])
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in path.parent.iterdir())
    queue.decide(next_of(queue, "anna").id, "anna", ALLOW)
    queue.finish([make_new(1, query=secret).id])
    queue.close()  # the last one writes the log into the database
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert secret.encode() not in path.read_bytes()
    assert make_review().query.encode() in path.read_bytes()


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "anna\x1b[2J", "an\u202ena"])
def test_a_reviewer_has_a_name_that_can_be_shown(queue: ReviewQueue, name: str) -> None:
    with pytest.raises(RequestRefused, match="a reviewer's name"):
        queue.lease_next(name)


def test_a_missing_a_foreign_and_a_corrupt_file_are_refused(path: Path, tmp_path: Path) -> None:
    def open_queue(file: Path) -> ReviewQueue:
        return ReviewQueue(file, lease_s=1, max_events=1, retention_s=1)

    with pytest.raises(ReviewQueueFailed, match="start the review worker first"):
        open_queue(path)
    foreign = tmp_path / "other.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE other (a)")
    connection.close()
    with pytest.raises(ConfigurationError, match="a database, but not a review queue"):
        open_queue(foreign)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(ReviewQueueFailed, match="corrupt"):
        open_queue(path)
