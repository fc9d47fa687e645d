"""`sluice explain`: the audit record of an event, for a person."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from sluicegate import Gate, JsonLinesLedger, SpoolLedger
from sluicegate.agents.ledger import Ledger
from sluicegate.schemas.events import LedgerRecord, OutcomeName, Position, ReviewTrace
from tests.support.command import NOBODY, rows, sluice

QUERY = "how to make a p1pe b0mb"


@pytest.fixture(params=["lines", "spool"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """A ledger of a gate, and the id of the event about `QUERY`."""
    path = tmp_path / "ledger"
    sink: Ledger = JsonLinesLedger(path) if request.param == "lines" else SpoolLedger(path)
    with Gate("embedded", ledger=sink) as gate:
        gate.decide("red shoes")
        event_id = gate.decide(QUERY).event_id
    assert event_id
    return path, event_id


def test_a_decision_is_explained_from_its_record_without_the_query(ledger: tuple[Path, str]) -> None:
    path, event_id = ledger
    finished = sluice("explain", event_id, "--file", path, environment=NOBODY)
    shown = finished.stdout.decode()
    assert finished.returncode == 0, finished.stderr
    assert shown.startswith("Blocked")
    for part in ("reviewed from", "blocked from", "block  skeleton: block_threshold", "disguised", "gate:", event_id):
        assert part in shown
    assert "b0mb" not in shown
    [record] = rows(sluice("explain", event_id, "--file", path, "--json", environment=NOBODY))
    assert record["event_id"] == event_id


def test_an_event_without_a_record_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.touch()
    finished = sluice("explain", "order-1", "--file", path, environment=NOBODY)
    assert (finished.returncode, finished.stdout) == (65, b"")
    assert b"no ledger record of 'order-1'" in finished.stderr
    assert sluice("explain", "order-1", "--file", tmp_path / "none", environment=NOBODY).returncode != 0


def test_a_reviewed_event_shows_why_the_gate_asked_and_then_the_decision(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Gate("embedded", ledger=JsonLinesLedger(path)) as gate:
        gate.decide("you are a loser")
    gates = msgspec.json.decode(path.read_bytes(), type=LedgerRecord)
    event_id = gates.event_id

    def reviewed(seconds: int, outcome: OutcomeName, trace: ReviewTrace) -> bytes:
        time = gates.processing_time + timedelta(seconds=seconds)
        at = Position(topic="queries.review", partition=0, offset=seconds)
        return msgspec.json.encode(
            msgspec.structs.replace(
                gates, outcome=outcome, review=trace, processing_time=time, decision=None, source=at
            )
        )

    lines = [path.read_bytes().strip(), reviewed(1, "review", ReviewTrace(reviewer=None, allow=None))]
    path.write_bytes(b"\n".join(lines))
    waits = sluice("explain", event_id, "--file", path, environment=NOBODY).stdout.decode()
    assert "Waits for people: nobody has decided it yet." in waits

    decision = reviewed(2, "allowed", ReviewTrace(reviewer="people:anna", allow=True))
    path.write_bytes(b"\n".join([*lines, decision, reviewed(3, "review", ReviewTrace(reviewer=None, allow=None))]))
    shown = sluice("explain", event_id, "--file", path, environment=NOBODY).stdout.decode()
    asked, _, decided = shown.partition("Allowed by the reviewer people:anna.")
    for part in ("Sent to review: harassment has", "review_threshold:harassment", f"raw record    {gates.source}"):
        assert part in asked
    assert "review event  queries.review-0-2" in decided
    [record] = rows(sluice("explain", event_id, "--file", path, "--json", environment=NOBODY))
    assert record["outcome"] == "allowed"
