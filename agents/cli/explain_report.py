"""What ``sluice explain`` does: find the record of an event, and print it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.text import Text

from sluicegate.agents.cli.ask_report import STYLES, Fact, headline_of, print_facts, report_console
from sluicegate.agents.cli.probability_bars import bars
from sluicegate.agents.cli.visible_text import visible
from sluicegate.agents.mcp.ledger import EventRecords, LedgerFile, LedgerTopic, records_of
from sluicegate.agents.settings import Settings
from sluicegate.agents.spool.reading import read_all
from sluicegate.schemas.errors import ContractError, StreamFailed
from sluicegate.schemas.events import DecisionTrace, LedgerRecord, ReviewTrace
from sluicegate.schemas.reason_codes import meaning_of

_START_OF_A_SPOOL: Final = b"SQLite format 3\0"


def records_of_event(settings: Settings, event_id: str, file: Path | None) -> EventRecords:
    """The newest records of the event in `file`, or in the ledger's topic.

    Raises:
        BrokerUnavailable: the brokers do not answer, or there is too much to read.
        ContractError: there is no record of the event.
        SpoolFailed, StreamFailed: the file cannot be read.
    """
    if file is None:
        records = LedgerTopic(settings).records_of(event_id)
    elif _is_spool(file):
        kept = (stored.record for stored in read_all(file) if stored.intact)
        records = records_of((each.value for each in kept if each.topic == settings.topic_ledger), event_id)
    else:
        records = LedgerFile(file).records_of(event_id)
    if records.final is None:
        raise ContractError(f"{file or settings.topic_ledger} has no ledger record of {event_id!r}: check the id")
    return records


def _is_spool(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(len(_START_OF_A_SPOOL)) == _START_OF_A_SPOOL
    except OSError as error:
        raise StreamFailed(f"cannot read the ledger {file}: {error.strerror or error}") from None


def print_records(records: EventRecords, *, as_json: bool) -> None:
    """Print the records of an event: a report, with the review behind what the gate saw, or the final one as JSON."""
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(records.final) + b"\n")
        return
    console, (own, review) = report_console(), records
    if own:
        _print_record(console, own)
    if review and (own is None or _follows(review, own)):
        if own:
            console.print()
        _print_record(console, review)


def _follows(review: LedgerRecord, own: LedgerRecord) -> bool:
    """Whether `review` is about what `own` decided: that may have been decided anew since."""
    return review.source in own.outputs or review.processing_time >= own.processing_time


def _print_record(console: Console, record: LedgerRecord) -> None:
    trace = record.decision
    if record.review:
        print_facts(console, [("", _decision_of(record.review))], indent=0)
    elif trace is None:
        print_facts(console, [("outcome", visible(record.outcome))])
    else:
        print_facts(console, [("", headline_of(trace))], indent=0)
        if trace.probabilities:
            console.print()
            ascii_only = console.options.ascii_only
            console.print(bars(trace.probabilities, trace.thresholds, console.width, ascii_only=ascii_only))
    console.print()
    print_facts(console, [*(_decided(trace) if trace else ()), *_event(record)])


def _decided(trace: DecisionTrace) -> Iterator[Fact]:
    for number, reading in enumerate(trace.readings):
        line = Text.assemble((reading.verdict, STYLES[reading.verdict]), f"  {reading.name}: ")
        yield "" if number else "readings", line.append_text(visible(reading.reason))
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
    for number, position in enumerate(record.outputs):
        yield "" if number else "outputs", visible(str(position))
    yield "processed", visible(f"{record.processing_time:%Y-%m-%d %H:%M:%S %Z} in {record.latency_ms.total:.1f} ms")
    yield "tokens", Text(f"{record.tokens.input} read, {record.tokens.output} written")
    yield "trace", visible(record.trace_id)
    yield "model", visible(record.model_version)
    yield "prompt", visible(record.prompt_version)
    yield "policy", visible(record.policy_version or "unknown")
