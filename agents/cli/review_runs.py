"""What the commands of ``sluice review`` do."""

import sys
from datetime import datetime

import msgspec
import typer

from sluicegate.agents.cli.record_lines import escape_invisible
from sluicegate.agents.cli.review_access import appeal, open_reviews
from sluicegate.agents.cli.review_report import print_review
from sluicegate.agents.cli.streams import reader_may_leave
from sluicegate.agents.cli.visible_text import visible
from sluicegate.agents.http.review_types import AppealRequest
from sluicegate.agents.review_queue import PersonsDecision, QueuedReview
from sluicegate.agents.settings import load_settings
from sluicegate.schemas.vocabulary import Category


def show_next(name: str | None, *, as_json: bool) -> None:
    """Lease the oldest review that is free, and print it."""
    with open_reviews(load_settings(), name) as reviews:
        queued = reviews.next()
    with reader_may_leave():
        if queued is not None:
            _print(queued, as_json=as_json)
        elif not as_json:
            sys.stdout.write("Nothing waits.\n")


def show(review_id: str, name: str | None, *, as_json: bool) -> None:
    """Lease one review, and print it."""
    with open_reviews(load_settings(), name) as reviews:
        queued = reviews.lease(review_id)
    with reader_may_leave():
        _print(queued, as_json=as_json)


def decide(review_id: str, name: str | None, *, allow: bool, category: str | None, reason: str, as_json: bool) -> None:
    """Decide one review, and print the decision.

    Raises:
        BadParameter: there is no such category, or the reason is empty or too long.
    """
    if category is not None and category not in set(Category):
        raise typer.BadParameter(f"there is no category {category!r}: use one of {', '.join(Category)}")
    try:
        decision = msgspec.convert({"allow": allow, "category": category, "rationale": reason.strip()}, PersonsDecision)
    except msgspec.ValidationError:
        raise typer.BadParameter("--reason needs 1 to 4096 characters") from None
    with open_reviews(load_settings(), name) as reviews:
        made = reviews.decide(review_id, decision)
    with reader_may_leave():
        if as_json:
            print_line(made)
        else:
            sys.stdout.write(f"{review_id} is {'allowed' if made.allow else f'denied: {made.category}'}\n")


def make_appeal(
    event_id: str, reason: str, since: datetime | None, name: str | None, *, as_json: bool, brokers: str | None
) -> None:
    """Put a blocked query before people, and print where the appeal is.

    Raises:
        BadParameter: the id or the reason is empty or too long.
    """
    try:
        asked = msgspec.convert({"event_id": event_id, "reason": reason.strip(), "since": since}, AppealRequest)
    except msgspec.ValidationError as error:
        raise typer.BadParameter(str(error)) from None
    made = appeal(load_settings(bootstrap_servers=brokers), asked, name)
    with reader_may_leave():
        if as_json:
            print_line(made)
        else:
            sys.stdout.write(
                f"the appeal for {visible(made.event_id)} is published ({made.published}): people decide it, unless it "
                "was appealed for before. To see it: sluice review list\n"
            )


def print_line(content: msgspec.Struct) -> None:
    """Print `content` as one line of JSON, with what a terminal would obey escaped."""
    sys.stdout.buffer.write(escape_invisible(msgspec.json.encode(content)) + b"\n")
    sys.stdout.buffer.flush()


def _print(queued: QueuedReview, *, as_json: bool) -> None:
    if as_json:
        print_line(queued)
    else:
        print_review(queued)
