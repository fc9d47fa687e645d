"""One review on a terminal or as plain text: what the gate saw, why it is asked about, and who works on it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from sluicegate.agents.cli.ask_report import (
    Fact,
    headline_of,
    print_facts,
    reason_facts,
    report_console,
    rewrite_facts,
)
from sluicegate.agents.cli.probability_bars import bars
from sluicegate.agents.cli.visible_text import visible
from sluicegate.agents.review_queue import QueuedReview, QueueStatistics
from sluicegate.decision import GateDecision, Stages
from sluicegate.schemas.events import Review, Tokens

_ANY_WIDTH: Final = 10_000


def print_review(queued: QueuedReview) -> None:
    """Print all that helps to decide one review."""
    console, review = report_console(), queued.review
    plain = console.color_system is None or console.no_color
    decision = _decision_of(review)
    headline = _appeal_line(review) or headline_of(decision)
    print_facts(console, [("", headline)], indent=0)
    console.print()
    print_facts(console, [("query", visible(review.query)), *rewrite_facts(decision, plain=plain)])
    if review.probabilities:
        console.print()
        console.print(
            bars(review.probabilities, review.thresholds, console.width, ascii_only=console.options.ascii_only)
        )
    console.print()
    print_facts(console, [*reason_facts(decision), *_appeal(review), *_asked(queued), *_event(queued)])


def print_list(reviews: Sequence[QueuedReview], statistics: QueueStatistics) -> None:
    """Print a line per review, the oldest first, and how many wait.

    Every id is whole, so that it can be copied. Without enough columns the rule is left out.
    """
    console = Console(highlight=False, emoji=False, markup=False)
    if reviews:
        table = _table(reviews, with_rule=True)
        if _width_of(table, console) > console.width:
            table = _table(reviews, with_rule=False)
        console.width = max(console.width, _width_of(table, console))
        console.print(table)
    shown = f", the oldest {len(reviews)} are shown" if len(reviews) < statistics.waiting else ""
    console.print(
        f"{statistics.waiting} wait{shown}; {statistics.leased} have a lease; "
        f"{statistics.unpublished} are decided and not yet published",
        soft_wrap=True,
    )


def age_of(queued: QueuedReview) -> str:
    """How long a review has waited, as in `1:02:03`."""
    return str(timedelta(seconds=max(0, round((datetime.now(UTC) - queued.published).total_seconds()))))


def _table(reviews: Sequence[QueuedReview], *, with_rule: bool) -> Table:
    names = ("id", "age", "category", *(["rule"] if with_rule else []), "lease", "event")
    table = Table(*(Column(name, no_wrap=True) for name in names), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for queued in reviews:
        review = queued.review
        table.add_row(
            queued.id,
            age_of(queued),
            visible(f"{review.category or ''}{' (appeal)' if review.appeal else ''}".strip()),
            *([visible(review.reason)] if with_rule else []),
            visible(queued.holder or ""),
            visible(review.event_id),
        )
    return table


def _width_of(table: Table, console: Console) -> int:
    """Columns that `table` needs."""
    return console.measure(table, options=console.options.update(width=_ANY_WIDTH)).maximum


def _appeal_line(review: Review) -> Text | None:
    if review.appeal is None:
        return None
    return Text.assemble(
        ("Appeal", "bold yellow"),
        f": the {review.appeal.gate} blocked this query as ",
        visible(review.category or "unsafe"),
        ".",
    )


def _appeal(review: Review) -> Iterator[Fact]:
    if review.appeal:
        yield "appeal of", visible(review.appeal.appellant)
        yield "says", visible(review.appeal.rationale)
        yield "blocked at", visible(str(review.appeal.blocked))


def _asked(queued: QueuedReview) -> Iterator[Fact]:
    for number, asked in enumerate(queued.asked):
        yield "" if number else "asked", visible(f"{asked.reviewer}: {asked.reason}")


def _event(queued: QueuedReview) -> Iterator[Fact]:
    review = queued.review
    context = [
        f"{name} {value}"
        for name in ("surface", "locale", "user_id", "session_id")
        if (value := getattr(review.context, name))
    ]
    if context:
        yield "context", visible(", ".join(context))
    yield "event", visible(review.event_id)
    yield "waits for", Text(age_of(queued))
    yield "model", visible(review.model_version)
    yield "policy", visible(review.policy_version or "unknown")
    if queued.holder and queued.lease_until:
        yield "lease", visible(f"{queued.holder}, until {queued.lease_until:%H:%M:%S} UTC")
    yield "review", visible(queued.id)


def _decision_of(review: Review) -> GateDecision:
    """The gate's decision behind `review`, as far as the event says it."""
    return GateDecision(
        event_id=review.event_id,
        verdict="review",
        allow=False,
        category=review.category,
        probability=review.probabilities.get(review.category or "", 0.0),
        reason=review.reason,
        reason_codes=tuple(review.reason_codes),
        probabilities=review.probabilities,
        thresholds=review.thresholds,
        readings=(),
        query=review.query,
        lexical=review.lexical,
        semantic=review.semantic,
        intent=review.intent,
        synonyms=tuple(review.synonyms),
        facets=tuple(review.facets),
        expansions=(),
        suggestions=(),
        degraded=review.degraded,
        answered_by="model",
        model_version=review.model_version,
        prompt_version=review.prompt_version,
        policy_version=review.policy_version or "",
        latency_ms=0,
        stages_ms=Stages(normalise=0, queue=None, model=None),
        tokens=Tokens(input=0, output=0),
    )
