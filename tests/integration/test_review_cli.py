"""`sluice review` on the review worker's machine: in a pipe, on a terminal, with hostile queries."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from sluicegate.agents.review_queue import NewReview, QueuedReview, ReviewQueue
from sluicegate.schemas.events import Appeal, Position
from tests.support.command import rows, sluice
from tests.support.reviews import make_new

HOSTILE = "you \x1b[2J\x1b]0;title\x07 are\u202e a <b>loser</b>\u200b [bold]x[/]"


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[ReviewQueue]:
    with ReviewQueue(tmp_path / "queue", lease_s=300, max_events=99, retention_s=60, make=True) as queue:
        yield queue


def new(number: int, **changes: Any) -> NewReview:
    return make_new(number, published=datetime.now(UTC) - timedelta(minutes=90), **changes)


def review(queue: ReviewQueue, *arguments: str, columns: int = 80) -> subprocess.CompletedProcess[bytes]:
    environment = {"SLUICE_REVIEW_QUEUE": str(queue.path), "COLUMNS": str(columns)}
    return sluice("review", *arguments, environment=environment)


def test_what_waits_is_listed_oldest_first_with_who_works_on_it_and_without_its_text(queue: ReviewQueue) -> None:
    queue.add([new(1, query=HOSTILE, event_id="order\x1b[31m"), new(2)])
    queue.lease_next("anna")
    shown = review(queue, "list", columns=140).stdout.decode()
    first, second = (line for line in shown.splitlines() if "harassment" in line)
    assert new(1, query=HOSTILE, event_id="order\x1b[31m").id in first
    assert "1:30:0" in first
    assert "anna" in first
    assert "<U+001B>" in first
    assert "order-2" in second
    assert "2 wait; 1 have a lease; 0 are decided" in shown
    assert "loser" not in shown
    assert [row["holder"] for row in rows(review(queue, "list", "--json"))] == ["anna", None]


def test_a_review_shows_what_the_gate_saw_and_why_and_obeys_nothing_in_it(queue: ReviewQueue) -> None:
    queue.add([new(1, query=HOSTILE, lexical="you are a looser")])
    finished = review(queue, "next", "--as", "anna")
    shown = finished.stdout.decode()
    assert (finished.returncode, finished.stderr) == (0, b"")
    for part in (
        "Sent to review: harassment has the probability 0.700; it is reviewed from 0.30",
        "<U+001B>[2J<U+001B>]0;title<U+0007>",
        "are<U+202E>",
        "<b>loser</b><U+200B>",
        "{+looser+}",
        "harassment       ███████████│███████████████▎             0.700     0.30   never",
        "review_threshold:harassment  Sent to review",
        "surface web, user_id u-1",
        "lease         anna, until",
    ):
        assert part in shown, part
    assert not {"\x1b", "\u202e", "\u200b", "\x07"} & set(shown)
    assert "\x1b" not in review(queue, "next", "--as", "anna", "--json").stdout.decode()


def test_an_appeal_says_who_appeals_why_and_what_was_blocked(queue: ReviewQueue) -> None:
    blocked = Position(topic="queries.blocked", partition=1, offset=7)
    appeal = Appeal(blocked=blocked, gate="model", appellant="shop\x1b", rationale="it is a film")
    queue.add([new(1, appeal=appeal)])
    shown = review(queue, "next", "--as", "anna").stdout.decode()
    for part in ("Appeal: the model blocked this query as harassment.", "shop<U+001B>", "film", "queries.blocked-1-7"):
        assert part in shown
    assert "harassment (appeal)" in review(queue, "list").stdout.decode()


def test_the_list_has_every_id_whole_however_narrow_the_terminal_is(queue: ReviewQueue) -> None:
    event_id = "0b9f3a52-5c1e-4a6c-8a52-6f2f0e7f9d11"
    queue.add([new(1, event_id=event_id)])
    queue.lease_next("anna")
    for columns, rule in ((80, False), (140, True)):
        (line,) = (
            each for each in review(queue, "list", columns=columns).stdout.decode().splitlines() if "1:30" in each
        )
        assert {new(1, event_id=event_id).id, event_id, "anna", "harassment"} <= set(line.split())
        assert ("review_threshold:harassment" in line) is rule


def test_decisions_need_the_lease_and_a_reason_and_say_what_was_decided(queue: ReviewQueue) -> None:
    queue.add([new(1), new(2)])
    first = msgspec.json.decode(review(queue, "next", "--as", "anna", "--json").stdout, type=QueuedReview)
    refused = review(queue, "allow", first.id, "--reason", "a film", "--as", "ben")
    assert (refused.returncode, refused.stdout) == (65, b"")
    assert refused.stderr.startswith(b"sluice: anna has a lease for")
    assert b"--reason needs" in review(queue, "allow", first.id, "--reason", " ", "--as", "anna").stderr
    wrong = review(queue, "deny", first.id, "--reason", "-", "--category", "rude\x1b", "--as", "anna")
    assert b"there is no category 'rude\\x1b': use one of hate" in wrong.stderr
    denied = review(queue, "deny", first.id, "--category", "hate", "--reason", "an insult", "--as", "anna")
    assert denied.stdout.decode() == f"{first.id} is denied: hate\n"
    assert orjson.loads(msgspec.json.encode([each.decision for each in queue.decided(9)])) == [
        {"allow": False, "category": "hate", "rationale": "an insult"}
    ]


def test_without_a_queue_or_a_terminal_one_line_says_what_to_do(queue: ReviewQueue, tmp_path: Path) -> None:
    nowhere = sluice("review", "list")
    assert nowhere.returncode == 78
    assert nowhere.stderr.startswith(b"sluice: no review queue: set SLUICE_REVIEW_QUEUE")
    missing = sluice("review", "list", environment={"SLUICE_REVIEW_QUEUE": str(tmp_path / "none")})
    assert (missing.returncode, (tmp_path / "none").exists()) == (74, False)
    assert b"none: start the review worker first (SLUICE_REVIEWERS=people " in missing.stderr
    key = {"SLUICE_REVIEW_URL": "http://127.0.0.1:1", "SLUICE_REVIEW_KEY": "sluice-key"}
    unreachable = sluice("review", "list", environment=key)
    assert unreachable.returncode == 74
    assert unreachable.stderr.startswith(b"sluice: cannot reach the review worker at http://127.0.0.1:1")
    assert b"without a terminal use list, next" in review(queue).stderr


def test_on_a_terminal_one_review_follows_the_other_until_the_person_quits(queue: ReviewQueue) -> None:
    queue.add([new(number, query=f"query {number} {HOSTILE}") for number in range(1, 6)])
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "sluicegate", "review", "--as", "anna"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "SLUICE_REVIEW_QUEUE": str(queue.path), "TERM": "xterm-256color", "COLUMNS": "80"},
    ) as process:
        os.close(follower)
        shown = b""
        for question, answer in (
            (b"quit (q)? ", b"a\n"),
            (b"reason: ", b"the title of a film\n"),
            (b"quit (q)? ", b"d\n"),
            (b"category [harassment]: ", b"hate\n"),
            (b"reason: ", b"an insult\n"),
            (b"quit (q)? ", b"s\n"),
            (b"quit (q)? ", b"what?\n"),
            (b"quit (q)? ", b"q\n"),
        ):
            part = _until(leader, question)
            shown += part
            os.write(leader, answer)
        shown += _until(leader, b"2 decided.")
        assert process.wait(60) == 0
    os.close(leader)
    made = [(each.reviewer, each.decision and each.decision.allow) for each in queue.decided(9)]
    assert made == [("anna", True), ("anna", False)]
    assert {each.holder for each in queue.waiting(9)} == {None}
    assert b"\x1b[2J" not in shown
    assert b"\x1b]0;" not in shown
    assert [f"query {number}".encode() in shown for number in range(1, 6)] == [True, True, True, True, False]


def _until(descriptor: int, ending: bytes) -> bytes:
    """What the terminal shows up to `ending`."""
    shown = b""
    while not shown.rstrip(b"\r\n ").endswith(ending.rstrip()):
        shown += os.read(descriptor, 65536)
    return shown
