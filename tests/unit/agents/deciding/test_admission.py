"""Admission: a query is refused only when its deadline cannot be met."""

import pytest

from sluicegate.agents.deciding.admission import Admission
from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.schemas.errors import DeadlineExceeded, Overloaded

SECOND_EACH = BatchCost(call=1000, token=0, step=0, member=0, answer=0)
"""A batch of one takes a second, by the cost model."""


def timed(admission: Admission, *seconds: float) -> None:
    """Let batches of one pass that took `seconds`."""
    for taken in seconds:
        admission.batch_started(0, 1, 1, 1, now=0)
        admission.batch_ended(0, now=taken)


def test_a_deadline_that_has_passed_is_refused() -> None:
    with pytest.raises(DeadlineExceeded):
        Admission(SECOND_EACH, batch_size=1, replicas=1).check(1, deadline=10, now=10, waiting=0)


def test_nothing_is_refused_before_enough_batches_were_timed() -> None:
    admission = Admission(SECOND_EACH, batch_size=1, replicas=1)
    timed(admission, *[1.0] * 4)
    admission.check(1, deadline=0.1, now=0, waiting=1000)
    timed(admission, 1.0)
    with pytest.raises(Overloaded, match="1000 queries wait"):
        admission.check(1, deadline=0.1, now=0, waiting=1000)


def test_the_queue_ahead_counts_against_the_deadline() -> None:
    admission = Admission(SECOND_EACH, batch_size=1, replicas=1)
    timed(admission, *[1.0] * 5)
    admission.check(1, deadline=10.5, now=0, waiting=9)  # ten seconds, its own included
    with pytest.raises(Overloaded):
        admission.check(1, deadline=9.5, now=0, waiting=9)


def test_the_batch_that_runs_counts_too() -> None:
    admission = Admission(SECOND_EACH, batch_size=1, replicas=1)
    timed(admission, *[1.0] * 5)
    admission.batch_started(0, 1, 1, 1, now=0)
    admission.check(1, deadline=2.1, now=0, waiting=0)
    with pytest.raises(Overloaded):
        admission.check(1, deadline=1.9, now=0, waiting=0)


def test_an_engine_slower_than_its_cost_model_refuses_earlier() -> None:
    admission = Admission(SECOND_EACH, batch_size=1, replicas=1)
    timed(admission, *[3.0] * 5)
    with pytest.raises(Overloaded):
        admission.check(1, deadline=5.9, now=0, waiting=1)
    admission.check(1, deadline=6.1, now=0, waiting=1)


def test_one_batch_that_stalled_changes_no_estimate() -> None:
    admission = Admission(SECOND_EACH, batch_size=1, replicas=1)
    timed(admission, 1.0, 1.0, 600.0, 1.0, 1.0)
    admission.check(1, deadline=2.1, now=0, waiting=1)


def test_replicas_share_the_queue() -> None:
    admission = Admission(SECOND_EACH, batch_size=1, replicas=2)
    timed(admission, *[1.0] * 5)
    admission.check(1, deadline=6.1, now=0, waiting=10)


def test_a_long_query_does_not_make_those_before_it_long() -> None:
    second_a_token = BatchCost(call=0, token=1000, step=0, member=0, answer=0)
    admission = Admission(second_a_token, batch_size=1, replicas=1)
    timed(admission, *[1.0] * 5)
    admission.check(20, deadline=30.5, now=0, waiting=10)  # ten of a second each, then its own twenty
    with pytest.raises(Overloaded):
        admission.check(20, deadline=29.5, now=0, waiting=10)


def test_an_idle_engine_is_tried_however_slow_it_was() -> None:
    admission = Admission(SECOND_EACH, batch_size=1, replicas=1)
    timed(admission, *[1000.0] * 5)
    admission.check(1, deadline=0.1, now=0, waiting=0)


def test_a_cost_model_that_predicts_no_time_divides_by_nothing() -> None:
    admission = Admission(BatchCost(call=0, token=0, step=0, member=0, answer=0), batch_size=1, replicas=1)
    timed(admission, *[1.0] * 5)
    admission.check(1, deadline=0.1, now=0, waiting=10)
