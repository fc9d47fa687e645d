"""Which records of an event a plan takes, and what the headers of a replay prove."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.agents.deciding.ledger_record import Stamp
from sluicegate.agents.kafka.record import Record
from sluicegate.agents.outcomes.dead_letter import make_dead_letter, shorten_dead_letter
from sluicegate.agents.replay.selection import Filter, Recorded, make_plan, read_dead_letters, read_decisions
from sluicegate.schemas.codec import encode
from sluicegate.schemas.events import DeadLetter, Position
from sluicegate.schemas.headers import Headers, is_signed, original_time, replay_headers, replay_of
from tests.support.replays import entry

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def recorded(
    number: int,
    model_version: str,
    *,
    after_s: float = 0,
    value_hash: str | None = None,
    offset: int | None = None,
    replay_of: int | None = None,
    event_id: str | None = None,
) -> Recorded:
    """Event `number`, decided from the record at `offset`, else at its number."""
    return Recorded(
        event_id=event_id or f"event-{number}",
        source=f"queries.raw-0-{number if offset is None else offset}",
        replay_of=None if replay_of is None else f"queries.raw-0-{replay_of}",
        at=Position(topic="queries.raw", partition=0, offset=number),
        in_letter=False,
        time=START + timedelta(seconds=after_s),
        value_hash=value_hash,
        model_version=model_version,
    )


def chosen(events: list[Recorded], wanted: Filter) -> list[str]:
    return [event.event_id for event in make_plan(events, wanted)]


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


def test_a_ledger_record_without_a_hash_is_superseded_by_one_with_a_hash() -> None:
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


def test_a_replay_that_is_decided_otherwise_takes_its_original_out_of_the_plan() -> None:
    bad = Filter(model_versions=frozenset({"bad"}))
    original = recorded(1, "bad", value_hash="h")
    anew = recorded(1, "good", value_hash="h", offset=70, replay_of=1, after_s=10)
    assert chosen([original, anew], bad) == []
    assert chosen([anew, original], bad) == [], "partitions are read in no order"
    unsigned = recorded(1, "good", value_hash="h", offset=70, replay_of=1, after_s=10, event_id="queries.raw-0-70")
    assert chosen([original, unsigned], bad) == [], "without a key, a record without an id gets a new one"


def test_a_record_of_other_bytes_cannot_take_an_original_out_of_the_plan() -> None:
    original = recorded(1, "bad", value_hash="h")
    forged = recorded(1, "good", value_hash="other", offset=70, replay_of=1, after_s=10)
    for events in ([original, forged], [forged, original]):
        assert chosen(events, Filter(model_versions=frozenset({"bad"}))) == ["event-1"]
        [own] = make_plan(events, Filter(model_versions=frozenset({"good"})))
        assert (own.original, own.replay_of) == ("queries.raw-0-70", None)


def test_a_replay_whose_bytes_are_unknown_cannot_take_an_original_out_of_the_plan() -> None:
    original = recorded(1, "bad", value_hash="h")
    forged = recorded(1, "good", offset=70, replay_of=1, after_s=10)
    for events in ([original, forged], [forged, original]):
        assert chosen(events, Filter(model_versions=frozenset({"bad"}))) == ["event-1"]
        assert [event.source for event in make_plan(events, Filter())] == ["queries.raw-0-1", "queries.raw-0-70"]


def test_a_forged_dead_letter_without_its_value_hides_no_original_and_a_true_replay_does() -> None:
    def letter_record(offset: int, value: bytes, headers: Headers) -> Record:
        record = Record("queries.raw", 0, offset, START, None, value, headers)
        stamp = Stamp(f"queries.raw-0-{offset}", START, "m", "p", None)
        letter = shorten_dead_letter(make_dead_letter(record, ValueError("no"), stamp))
        return Record("queries.deadletter", 0, offset, START + timedelta(seconds=offset), None, encode(letter), headers)

    claim = [("replay_of", b"queries.raw-0-1")]
    original, forged = letter_record(1, b"query", []), letter_record(70, b"another", claim)
    repeated = letter_record(70, b"query", claim)
    assert [event.source for event in make_plan(read_dead_letters([original, forged]), Filter())] == [
        "queries.raw-0-1",
        "queries.raw-0-70",
    ]
    assert [event.source for event in make_plan(read_dead_letters([original, repeated]), Filter())] == [
        "queries.raw-0-70"
    ]


def dead_letter(offset: int, last_offset: int | None) -> Record:
    letter = DeadLetter(
        event_id=f"queries.raw-0-{offset}",
        event_time=START,
        processing_time=START,
        model_version="m",
        prompt_version="p",
        error_type="UnreadableRecord",
        error="broken",
        source=Position(topic="queries.raw", partition=0, offset=offset),
        key=None,
        value=None,
        headers=[],
        value_omitted=last_offset is not None,
        last_offset=last_offset,
    )
    return Record("queries.deadletter", 0, offset, START, None, encode(letter), [])


def test_a_dead_letter_of_bytes_that_nobody_can_read_is_named_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    found = list(read_dead_letters([dead_letter(7, last_offset=9), dead_letter(10, last_offset=None)]))
    assert [event.event_id for event in found] == ["queries.raw-0-10"]
    assert "queries.raw-0-7 cannot be replayed" in caplog.text


def test_a_query_that_was_decided_without_kafka_cannot_be_replayed_and_is_left_out() -> None:
    here, raw = (
        Position(topic="gate:web-1", partition=9, offset=0),
        Position(topic="queries.raw", partition=0, offset=5),
    )
    records = [
        Record("queries.ledger", 0, number, START, None, entry(number, source), [])
        for number, source in enumerate([here, raw])
    ]
    assert [event.source for event in read_decisions(records)] == ["queries.raw-0-5"]


SECRET = b"correct-horse-battery"


@given(st.integers(0, 4_102_444_800_000))
def test_headers_say_what_they_were_made_from(milliseconds: int) -> None:
    time = datetime.fromtimestamp(milliseconds / 1000, UTC)
    headers = replay_headers("queries.raw-3-17", time, key=b"k", value=b"v", secret=SECRET)
    assert (replay_of(headers), original_time(headers)) == ("queries.raw-3-17", time)
    assert is_signed(headers, key=b"k", value=b"v", secret=SECRET)


def test_a_signature_holds_for_one_record_under_one_secret() -> None:
    headers = replay_headers("queries.raw-3-17", START, key=b"k", value=b"v", secret=SECRET)
    of, time, signature = headers
    forgeries: list[Headers] = [
        [("replay_of", b"queries.raw-3-18"), time, signature],
        [of, ("replay_timestamp", b"1"), signature],
        [of, time, ("replay_signature", b"0" * 64)],
        [of, time],
        [],
    ]
    for forged in forgeries:
        assert not is_signed(forged, key=b"k", value=b"v", secret=SECRET)
    assert not is_signed(headers, key=b"k", value=b"other", secret=SECRET)
    assert not is_signed(headers, key=b"other", value=b"v", secret=SECRET)
    assert not is_signed(headers, key=b"k", value=b"v", secret=b"another secret of ours")


def test_headers_that_are_not_of_the_form_are_ignored() -> None:
    for value in (b"", b"queries.raw", b"queries.raw-1-x", b"a" * 200 + b"-1-1", "кеды-1-1".encode(), b"a b-1-1\n"):
        assert replay_of([("replay_of", value)]) is None
    for value in (b"", b"-1", b"soon", b"9" * 15):
        assert original_time([("replay_timestamp", value)]) is None
    assert original_time([("replay_timestamp", b"9" * 14)]) is not None
