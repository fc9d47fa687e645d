"""The life of one event on a terminal: an overview, each record as ``sluice explain`` shows it, and the spans."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from sluicegate.agents.cli.ask_report import Fact, print_facts, report_console
from sluicegate.agents.cli.explain_report import print_record, what_became
from sluicegate.agents.cli.record_lines import escape_invisible
from sluicegate.agents.cli.trace_spans import TraceSpans
from sluicegate.agents.cli.visible_text import visible
from sluicegate.agents.ledger.search import newest_of
from sluicegate.agents.local.otlp_receiver import ReceivedSpan, Value
from sluicegate.agents.local.trace_tree import draw
from sluicegate.schemas.events import LedgerRecord


class _Life(msgspec.Struct):
    event_id: str
    records: Sequence[LedgerRecord]
    traces: Sequence[TraceSpans]


def print_json(event_id: str, records: Sequence[LedgerRecord], traces: Sequence[TraceSpans]) -> None:
    """Print one line of JSON: the ledger records in the order of time, and the spans of their traces."""
    sys.stdout.buffer.write(escape_invisible(msgspec.json.encode(_Life(event_id, records, traces))) + b"\n")


def print_life(event_id: str, records: Sequence[LedgerRecord], traces: Sequence[TraceSpans]) -> None:
    """Print what became of the event, then each step, then the spans."""
    console = report_console()
    if len(records) > 1:
        final = newest_of(records, event_id).final or records[-1]
        print_facts(console, [("", visible(event_id, "bold")), ("", what_became(final))], indent=0)
        console.print()
        print_facts(console, _overview(records))
    for record in records:
        if len(records) > 1:
            _print_title(console, f"{record.processing_time:%Y-%m-%d %H:%M:%S %Z}: {_step(record, records)}")
        print_record(console, record)
    if not traces:
        console.print()
        print_facts(console, [("spans", Text("set SLUICE_TRACES_URL to a Jaeger or a Tempo to see them", style="dim"))])
    for trace in traces:
        _print_title(console, f"trace {trace.trace_id}")
        if trace.problem:
            console.print(visible(f"SLUICE_TRACES_URL: {trace.problem}"))
        else:
            console.print(draw([_harmless(span) for span in trace.spans]))


def _print_title(console: Console, title: str) -> None:
    console.print()
    console.print(Rule(visible(title), align="left", style="dim", characters="-"))


def _overview(records: Sequence[LedgerRecord]) -> Iterator[Fact]:
    day = None
    for record in records:
        if (date := record.processing_time.date()) != day:
            day = date
            yield "day", Text(f"{date} UTC")
        yield (
            f"{record.processing_time:%H:%M:%S.%f}"[:12],
            Text.assemble((record.outcome, "bold"), "  ", visible(_step(record, records)), "  ", _way(record)),
        )


def _step(record: LedgerRecord, records: Sequence[LedgerRecord]) -> str:
    """Who did what in the step that `record` is about."""
    if record.review:
        asked_by_gate = any(record.source in other.outputs for other in records)
        blocked = any(each.outcome == "blocked" and each.processing_time < record.processing_time for each in records)
        about = "review of an appeal" if blocked and not asked_by_gate else "review"
        return about if record.review.allow is None else f"{about} by {record.review.reviewer or 'the policy'}"
    if record.shadow:
        return f"shadow of {record.model_version}"
    who = "formatter" if record.formatting else "gate"
    return f"{who}, replay of {record.replay_of}" if record.replay_of else who


def _way(record: LedgerRecord) -> Text:
    to = ", ".join(map(str, record.outputs)) or "nothing published"
    return visible(f"{record.source} > {to}", "dim")


def _harmless(span: ReceivedSpan) -> ReceivedSpan:
    """`span` with everything named that a terminal might obey: other services wrote it too."""
    return replace(
        span,
        name=visible(span.name).plain,
        service=visible(span.service).plain,
        attributes={name: _harmless_value(value) for name, value in span.attributes.items()},
    )


def _harmless_value(value: Value) -> Value:
    if isinstance(value, tuple):
        return tuple(visible(each).plain if isinstance(each, str) else each for each in value)
    return visible(value).plain if isinstance(value, str) else value
