"""What a plan takes, and what the headers of a replay say."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.agents.kafka.record import Record
from sluicegate.agents.replay.replay import Filter, Recorded, choose
from sluicegate.schemas.events import Position
from sluicegate.schemas.headers import original_time, replay_headers, replay_of

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def recorded(
    number: int, model_version: str, *, after_s: float = 0, value_hash: str | None = None, offset: int | None = None
) -> Recorded:
    """Event `number`, whose record came first at `offset`, else at its number."""
    return Recorded(
        event_id=f"event-{number}",
        original=f"queries.raw-0-{number if offset is None else offset}",
        at=Position(topic="queries.raw", partition=0, offset=number),
        in_letter=False,
        time=START + timedelta(seconds=after_s),
        value_hash=value_hash,
        model_version=model_version,
    )


def chosen(events: list[Recorded], wanted: Filter) -> list[str]:
    return [event.event_id for event in choose(events, wanted)]


def test_the_last_decision_on_an_event_counts() -> None:
    bad = Filter(model_versions=frozenset({"bad"}))
    events = [recorded(1, "bad"), recorded(2, "bad"), recorded(1, "good"), recorded(3, "good"), recorded(3, "bad")]
    assert chosen(events, bad) == ["event-2", "event-3"]


def test_equal_records_that_a_producer_sent_twice_are_one_event() -> None:
    bad = Filter(model_versions=frozenset({"bad"}))
    first, retry = recorded(1, "bad", value_hash="h"), recorded(1, "bad", value_hash="h", offset=70)
    anew = recorded(1, "good", value_hash="h")
    assert chosen([first, retry], bad) == ["event-1"]
    assert chosen([first, retry, anew], bad) == []
    assert chosen([first, retry, recorded(1, "good", value_hash="h", offset=70)], bad) == []


def test_an_id_that_a_producer_used_for_two_queries_is_two_events() -> None:
    bad = Filter(model_versions=frozenset({"bad"}))
    one, other = recorded(1, "bad", value_hash="one"), recorded(1, "bad", value_hash="other", offset=70)
    assert chosen([one, other], bad) == ["event-1", "event-1"]
    assert chosen([one, other, recorded(1, "good", value_hash="one")], bad) == ["event-1"]


def test_a_decision_from_before_the_ledger_had_hashes_is_made_anew_by_one_that_has() -> None:
    bad = Filter(model_versions=frozenset({"bad"}))
    anew = [recorded(1, "good", value_hash="h"), recorded(1, "good", value_hash="h", offset=70)]
    assert chosen([recorded(1, "bad"), recorded(1, "bad", offset=70), *anew], bad) == []


def test_a_decision_made_after_the_time_asked_for_still_counts() -> None:
    until = Filter(until=START + timedelta(seconds=5), model_versions=frozenset({"bad"}))
    events = [recorded(1, "bad"), recorded(2, "bad"), recorded(1, "good", after_s=10)]
    assert chosen(events, until) == ["event-2"]


def test_a_plan_is_in_the_order_of_time_so_that_since_can_go_on_with_it() -> None:
    events = [recorded(1, "m", after_s=3), recorded(2, "m", after_s=1), recorded(3, "m", after_s=2)]
    assert chosen(events, Filter()) == ["event-2", "event-3", "event-1"]
    assert chosen(events, Filter(since=START + timedelta(seconds=2))) == ["event-3", "event-1"]
    assert chosen(events, Filter(until=START + timedelta(seconds=2))) == ["event-2"]


@given(st.integers(0, 4_102_444_800_000))
def test_headers_say_what_they_were_made_from(milliseconds: int) -> None:
    time = datetime.fromtimestamp(milliseconds / 1000, UTC)
    headers = replay_headers("queries.raw-3-17", time)
    assert (replay_of(headers), original_time(headers)) == ("queries.raw-3-17", time)


@given(st.lists(st.tuples(st.sampled_from(["replay_of", "replay_timestamp"]), st.none() | st.binary(max_size=300))))
def test_whatever_a_producer_writes_there_an_event_has_a_proper_id_and_time(
    headers: list[tuple[str, bytes | None]],
) -> None:
    record = Record("queries.raw", 0, 7, START, None, b"{}", headers)
    assert 1 <= len(record.derived_id) <= 200
    assert record.event_time.tzinfo is UTC
    if record.replay_of is None:
        assert (record.derived_id, record.event_time) == ("queries.raw-0-7", START)


def test_headers_that_are_not_of_the_form_are_left_alone() -> None:
    for value in (b"", b"queries.raw", b"queries.raw-1-x", b"a" * 200 + b"-1-1", "кеды-1-1".encode(), b"a b-1-1\n"):
        assert replay_of([("replay_of", value)]) is None
    for value in (b"", b"-1", b"soon", b"9" * 15):
        assert original_time([("replay_timestamp", value)]) is None
    assert original_time([("replay_timestamp", b"9" * 14)]) is not None
