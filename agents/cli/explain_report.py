"""A ledger record on a terminal: what was decided about an event, and why."""

import sys
from collections.abc import Iterator
from typing import Final

import msgspec
from rich.console import Console
from rich.text import Text

from sluicegate.agents.cli.ask_report import STYLES, Fact, headline_of, print_facts, report_console, second_facts
from sluicegate.agents.cli.probability_bars import bars
from sluicegate.agents.cli.record_lines import escape_invisible
from sluicegate.agents.cli.visible_text import visible
from sluicegate.agents.ledger.search import EventRecords
from sluicegate.schemas.events import DecisionTrace, LedgerRecord, ReviewTrace, StageLatencies
from sluicegate.schemas.reason_codes import meaning_of

_STAGES: Final = ("normalise", "queue", "model", "validate", "publish")


def print_records(records: EventRecords, *, as_json: bool) -> None:
    """Print the records of an event: a report, with the review behind what the gate saw, or the final one as JSON."""
    if as_json:
        sys.stdout.buffer.write(escape_invisible(msgspec.json.encode(records.final)) + b"\n")
        return
    console, (own, review) = report_console(), records
    if own:
        print_record(console, own)
    if review and (own is None or _follows(review, own)):
        if own:
            console.print()
        print_record(console, review)


def _follows(review: LedgerRecord, own: LedgerRecord) -> bool:
    """Whether `review` is about what `own` decided: that may have been decided anew since."""
    return review.source in own.outputs or review.processing_time >= own.processing_time


def print_record(console: Console, record: LedgerRecord) -> None:
    """Print all that the record says."""
    trace = record.decision
    print_facts(console, [("", what_became(record))], indent=0)
    if trace and trace.probabilities:
        console.print()
        ascii_only = console.options.ascii_only
        console.print(bars(trace.probabilities, trace.thresholds, console.width, ascii_only=ascii_only))
    console.print()
    print_facts(console, [*(_decided(trace) if trace else ()), *_event(record)])


def what_became(record: LedgerRecord) -> Text:
    """What the record says became of the event, and why, in one sentence."""
    if record.review:
        return _decision_of(record.review)
    if record.decision:
        return headline_of(record.decision)
    if record.outcome == "deadletter":
        return visible(f"Dead letter: {record.validation}")
    return Text(f"{record.outcome.capitalize()}.")


def _decided(trace: DecisionTrace) -> Iterator[Fact]:
    for number, reading in enumerate(trace.readings):
        line = Text.assemble((reading.verdict, STYLES[reading.verdict]), f"  {reading.name}: ")
        yield "" if number else "readings", line.append_text(visible(reading.reason))
    yield from second_facts(trace.second)
    for number, code in enumerate(trace.reason_codes):
        yield "" if number else "reasons", visible(code).append(f"  {meaning_of(code) or ''}", style="dim")
    if trace.intent:
        yield "intent", visible(trace.intent)
    yield "answered by", visible(trace.answered_by)


def _decision_of(review: ReviewTrace) -> Text:
    if review.allow is None:
        return Text("Waits for people: nobody has decided it yet.", style=STYLES["review"])
    said, style = ("Allowed", STYLES["allow"]) if review.allow else ("Blocked", STYLES["block"])
    category = f" as {review.category}" if review.category else ""
    line = Text(said, style=f"bold {style}").append_text(visible(f"{category} by the reviewer {review.reviewer}"))
    return line.append(", because no reviewer answered." if review.fallback else ".")


def _event(record: LedgerRecord) -> Iterator[Fact]:
    yield "event", visible(f"{record.event_id}{' (decided by a shadow)' if record.shadow else ''}")
    if record.query is not None:
        yield "query", visible(record.query)
    if record.validation != "valid":
        yield "error", visible(record.validation)
    if record.review:
        for number, asked in enumerate(record.review.unanswered):
            yield "" if number else "no answer", visible(f"{asked.reviewer}: {asked.reason}")
    yield "outcome", visible(record.outcome)
    yield "review event" if record.review else "raw record", visible(str(record.source))
    if record.replay_of:
        yield "replay of", visible(record.replay_of)
    for number, position in enumerate(record.outputs):
        yield "" if number else "outputs", visible(str(position))
    yield "processed", visible(f"{record.processing_time:%Y-%m-%d %H:%M:%S %Z} in {_times(record.latency_ms)}")
    yield "tokens", Text(f"{record.tokens.input} read, {record.tokens.output} written")
    yield "trace", visible(record.trace_id)
    yield "model", visible(record.model_version)
    yield "prompt", visible(record.prompt_version)
    yield "policy", visible(record.policy_version or "unknown")


def _times(latency_ms: StageLatencies) -> str:
    stages = [(name, getattr(latency_ms, name)) for name in _STAGES]
    detail = ", ".join(f"{name} {ms:.1f}" for name, ms in stages if ms is not None)
    return f"{latency_ms.total:.1f} ms{f': {detail}' if detail else ''}"
