"""`sluice review` on a terminal: one review after another, with a key for each answer."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from sluicegate.agents.cli.review_access import Reviews
from sluicegate.agents.cli.review_report import print_review
from sluicegate.agents.review_queue import PersonsDecision, QueuedReview
from sluicegate.schemas.errors import RequestRefused
from sluicegate.schemas.vocabulary import Category

_QUESTION: Final = "allow (a), deny (d), skip (s) or quit (q)? "


class _Quit(Exception):
    """The reviewer has had enough."""


def review_all(reviews: Reviews) -> None:
    """Show what waits, the oldest first, until nothing is left or the reviewer quits. The last lease is given back."""
    place, decided = 0, 0
    with suppress(_Quit):
        while (queued := reviews.next(place)) is not None:
            print_review(queued)
            try:
                if _decide(reviews, queued):
                    decided += 1
                    continue
            except RequestRefused as refusal:  # the lease has expired, and somebody else was quicker
                _say(f"{refusal}")
            except BaseException:
                reviews.release(queued.id)
                raise
            place = queued.place
            with suppress(RequestRefused):
                reviews.release(queued.id)
        _say("Nothing else waits.")
    _say(f"{decided} decided.")


def _decide(reviews: Reviews, queued: QueuedReview) -> bool:
    """Ask until there is a decision (True), or the review is skipped (False)."""
    while True:
        match _ask(_QUESTION).lower():
            case "a" | "allow":
                if reason := _ask("reason: "):
                    reviews.decide(queued.id, PersonsDecision(allow=True, rationale=reason))
                    return True
            case "d" | "deny":
                category = _category(queued)
                if category and (reason := _ask("reason: ")):
                    reviews.decide(queued.id, PersonsDecision(allow=False, rationale=reason, category=category))
                    return True
            case "s" | "skip":
                return False
            case "q" | "quit":
                raise _Quit


def _category(queued: QueuedReview) -> Category | None:
    known: Sequence[str] = tuple(Category)
    given = queued.review.category if queued.review.category in known else ""
    answer: str = _ask(f"category [{given}]: " if given else f"category ({', '.join(known)}): ") or given or ""
    if answer not in known:
        _say(f"There is no such category: {', '.join(known)}.")
        return None
    return Category(answer)


def _ask(question: str) -> str:
    try:
        return input(question).strip()
    except EOFError:
        sys.stdout.write("\n")
        raise _Quit from None


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
