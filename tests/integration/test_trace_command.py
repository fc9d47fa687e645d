"""`sluice trace`: the whole life of an event, found in a ledger on a real broker."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner, Result

from sluicegate.agents.cli.app import app
from sluicegate.agents.ledger import topic_search
from sluicegate.agents.ledger.topic_search import LedgerTopic
from sluicegate.agents.settings import load_settings
from sluicegate.schemas.events import Position, ReviewTrace
from tests.support.replays import entry, on_one_kind, write_ledger
from tests.support.worker_process import Stream

pytestmark = on_one_kind

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
RAW = Position(topic="queries.raw", partition=0, offset=7)
ASKED = Position(topic="queries.review", partition=1, offset=3)


def at(minutes: float, **more: Any) -> dict[str, Any]:
    return {"event_time": NOON, "processing_time": NOON + timedelta(minutes=minutes), **more}


def trace(stream: Stream, *arguments: str, stdin: bytes | None = None) -> Result:
    """Run the command in this process: a new one takes seconds to start."""
    environment = {**stream.environment, "COLUMNS": "100", "SLUICE_TRACES_URL": ""}
    return CliRunner().invoke(app, ["trace", *arguments], env=environment, input=stdin)


def write_at(stream: Stream, records: Sequence[tuple[bytes, datetime]]) -> None:
    """Write ledger records with the timestamps that they would have had."""
    producer = Producer({"bootstrap.servers": stream.bootstrap_servers, "partitioner": "murmur2_random"})
    refused: list[object] = []
    for value, time in records:
        key = orjson.loads(value)["event_id"].encode()
        producer.produce(
            stream.topics["ledger"],
            value,
            key,
            timestamp=round(time.timestamp() * 1000),
            on_delivery=lambda error, _: refused.append(error) if error else None,
        )
    assert (producer.flush(30), refused) == (0, [])


def test_the_steps_of_a_reviewed_event_come_in_order_and_then_each_in_full(stream: Stream) -> None:
    blocked = Position(topic="queries.blocked", partition=0, offset=1)
    decided = ReviewTrace(reviewer="people:anna", allow=False, category="harassment")
    write_ledger(
        stream,
        [
            entry(1, RAW, **at(0, outcome="review", outputs=[ASKED])),
            entry(2, RAW, **at(0)),
            entry(1, ASKED, **at(1, outcome="review", review=ReviewTrace(reviewer=None, allow=None))),
            entry(1, ASKED, **at(9, outcome="blocked", outputs=[blocked], review=decided)),
            entry(1, Position(topic="queries.review", partition=0, offset=9), **at(20, outcome="allowed",
                  review=ReviewTrace(reviewer="people:bea", allow=True))),
        ],
    )  # fmt: skip
    shown = trace(stream, "event-1")
    assert shown.exit_code == 0, shown.exception
    overview = shown.stdout.split("-- 2026")[0]
    for step in (
        "Allowed by the reviewer people:bea.",
        "2026-11-26 UTC",
        "12:00:00.000  review  gate  queries.raw-0-7 > queries.review-1-3",
        "12:01:00.000  review  review  queries.review-1-3 > nothing published",
        "12:09:00.000  blocked  review by people:anna  queries.review-1-3 > queries.blocked-0-1",
        "12:20:00.000  allowed  review of an appeal by people:bea",
    ):
        assert step in overview
        overview = overview.split(step, 1)[1]
    assert "Blocked as harassment by the reviewer people:anna." in shown.stdout
    assert "set SLUICE_TRACES_URL" in shown.stdout
    found = orjson.loads(trace(stream, "queries.blocked-0-1", "--json").stdout)
    assert [record["outcome"] for record in found["records"]] == ["review", "review", "blocked", "allowed"]
    assert (found["event_id"], found["traces"]) == ("event-1", [])


def test_a_line_of_the_ledger_is_enough_and_an_unknown_event_is_an_error(stream: Stream) -> None:
    line = entry(4, RAW, **at(0, validation="ContractError: not JSON", outcome="deadletter"))
    alone = trace(stream, "--file", "-", stdin=line + b"\n")
    assert alone.stdout.startswith("Dead letter: ContractError: not JSON")
    unknown = trace(stream, "event-9")
    assert unknown.exit_code != 0
    assert "has no ledger record of 'event-9'" in str(unknown.exception)


def test_what_a_terminal_would_obey_in_an_id_is_shown_and_not_obeyed(stream: Stream) -> None:
    hostile = "a\x1b[2Jb\u202ec"
    write_ledger(stream, [entry(1, RAW, **at(minute, event_id=hostile)) for minute in (0, 1)])
    for arguments in ((hostile,), (hostile, "--json")):
        shown = trace(stream, *arguments).stdout
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert "a<U+001B>[2Jb<U+202E>c" in trace(stream, hostile).stdout


def test_a_replay_with_an_id_of_its_own_is_found_in_another_partition(stream: Stream) -> None:
    original = "queries.raw-0-7"
    replays = [
        entry(
            1,
            Position(topic="queries.raw", partition=0, offset=offset),
            **at(offset, event_id=f"queries.raw-0-{offset}", replay_of=original),
        )
        for offset in range(10, 20)
    ]
    write_ledger(stream, [entry(1, RAW, **at(0, event_id=original)), *replays])
    event_id, records = LedgerTopic(load_settings(**settings_of(stream))).records_of(original)
    assert event_id == original
    assert [record.replay_of for record in records] == [None, *[original] * 10]


def test_a_search_reads_the_end_of_one_partition_of_a_long_ledger(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_search, "FIRST_WINDOW", 20)
    monkeypatch.setattr(topic_search, "_SHOW_EVERY", 1)
    times = [datetime.now(UTC) - timedelta(minutes=2000 - n) for n in range(2000)]
    entries = [entry(n, RAW, event_time=time, processing_time=time) for n, time in enumerate(times)]
    write_at(stream, list(zip(entries, times, strict=True)))  # about 500 in each of 4 partitions
    reads: list[int] = []
    ledger = LedgerTopic(load_settings(**settings_of(stream)), show=lambda read, _: reads.append(read))
    for number, most in ((1995, 20), (1700, 420), (2, 550)):
        reads.clear()
        assert ledger.find(f"event-{number}")
        assert len(reads) <= most
    reads.clear()
    assert ledger.find("event-none") is None
    assert len(reads) == 2000


def settings_of(stream: Stream) -> dict[str, Any]:
    return {"bootstrap_servers": stream.bootstrap_servers, "topic_ledger": stream.topics["ledger"]}
