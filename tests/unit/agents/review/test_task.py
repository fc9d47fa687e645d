"""Review events, as the gate writes them."""

from sluicegate.agents.kafka.record import Record
from sluicegate.agents.review.task import task_of
from sluicegate.schemas.codec import encode, value_hash
from tests.support.reviews import NOON, make_review


def test_a_review_event_is_read_with_and_without_the_id_of_its_schema() -> None:
    review = make_review()
    for prefix in (b"", b"\x00\x00\x00\x00\x07"):
        value = prefix + encode(review)
        task = task_of(Record("queries.review", 0, 1, NOON, None, value, ()), ())
        assert (task.review, task.input_hash) == (review, value_hash(value))
