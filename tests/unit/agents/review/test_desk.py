"""People as a reviewer of the review agent."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from sluicegate.agents.review.desk import QueueDesk
from sluicegate.agents.review.reviewer import Asked, ReviewDecision, ReviewTask, Unanswered
from sluicegate.agents.review_queue import PersonsDecision
from sluicegate.agents.settings import load_settings
from sluicegate.schemas.errors import ReviewQueueFailed
from sluicegate.schemas.events import AskedReviewer, Position
from sluicegate.schemas.headers import Header
from sluicegate.schemas.vocabulary import Category
from tests.support.reviews import make_review


def task(number: int, headers: list[Header] | None = None) -> ReviewTask:
    return ReviewTask(
        review=make_review(f"order-{number}"),
        source=Position(topic="queries.review", partition=1, offset=number),
        key=b"\xff",
        headers=headers or [("traceparent", b"00-1"), ("twice", None), ("twice", b"\x00")],
        published=datetime.now(UTC).replace(microsecond=1000),
        input_hash="0" * 64,
    )


async def test_a_task_comes_back_whole_with_what_a_person_decided_until_it_is_published(tmp_path: Path) -> None:
    given, asked = task(1), [Asked(reviewer="api:large", reason="timed_out")]
    settings = load_settings(review_queue=tmp_path / "queue")
    async with QueueDesk.running(settings) as desk:
        await desk.hand_over(given, asked)
        await desk.hand_over(given, [])
        assert await desk.decided(9) == []
        (waiting,) = desk.queue.waiting(9)
        assert waiting.asked == [AskedReviewer(reviewer="api:large", reason="timed_out")]
        desk.queue.lease(waiting.id, "anna")
        desk.queue.decide(waiting.id, "anna", PersonsDecision(allow=False, rationale="an insult"))
    async with QueueDesk.running(settings) as desk:
        decision = ReviewDecision(
            allow=False, category=Category.HARASSMENT, reviewer="people:anna", kind="people", rationale="an insult"
        )
        assert await desk.decided(9) == [(given, decision)]
        await desk.published(given)
        assert await desk.decided(9) == []
        await desk.hand_over(given, [])
        assert desk.queue.waiting(9) == []


async def test_a_second_record_of_an_event_is_known_and_a_redelivery_is_not_until_it_is_published(
    tmp_path: Path,
) -> None:
    first = task(1)
    second = msgspec.structs.replace(first, source=Position(topic="queries.review", partition=0, offset=9))
    async with QueueDesk.running(load_settings(review_queue=tmp_path / "queue")) as desk:

        async def known() -> list[bool]:
            return [(await desk.hand_over(each, [])).again for each in (first, second)]

        assert await known() == [False, True]
        (waiting,) = desk.queue.waiting(9)
        desk.queue.lease(waiting.id, "anna")
        desk.queue.decide(waiting.id, "anna", PersonsDecision(allow=True, rationale="a film"))
        assert await known() == [False, True]
        await desk.published(first)
        assert await known() == [True, True]


async def test_a_signed_replay_of_a_decided_task_is_reviewed_again(tmp_path: Path) -> None:
    async with QueueDesk.running(load_settings(review_queue=tmp_path / "queue")) as desk:
        replay: list[Header] = [("replay_of", b"queries.raw-0-1")]
        for each in (task(1), task(1, replay), task(1, replay)):
            await desk.hand_over(each, [])
        assert desk.queue.statistics().waiting == 2


async def test_a_task_that_nobody_decides_in_time_is_overdue(tmp_path: Path) -> None:
    settings = load_settings(review_queue=tmp_path / "queue", review_queue_max_age_s=1e-6)
    async with QueueDesk.running(settings) as desk:
        await desk.hand_over(task(1), [])
        (overdue,) = await desk.overdue(9)
        assert overdue.review == make_review("order-1")
        await desk.published(overdue)
        assert await desk.overdue(9) == []


async def test_a_full_queue_leaves_the_task_to_the_next_reviewer(tmp_path: Path) -> None:
    async with QueueDesk.running(load_settings(review_queue=tmp_path / "queue", review_queue_max_events=1)) as desk:
        await desk.hand_over(task(1), [])
        with pytest.raises(Unanswered, match="is full") as unanswered:
            await desk.hand_over(task(2), [])
        assert unanswered.value.reason == "queue_full"


async def test_a_second_review_worker_on_one_file_is_refused(tmp_path: Path) -> None:
    settings = load_settings(review_queue=tmp_path / "queue")
    async with QueueDesk.running(settings):
        with pytest.raises(ReviewQueueFailed, match="one review worker at a time"):
            async with QueueDesk.running(settings):
                pass
