"""What ``sluice explain`` does: find the record of an event, and print it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from rich.text import Text

from sluicegate.agents.cli.ask_report import STYLES, Fact, headline_of, print_facts, report_console
from sluicegate.agents.cli.probability_bars import bars
from sluicegate.agents.cli.visible_text import visible
from sluicegate.agents.mcp.ledger import LedgerFile, LedgerTopic, newest
from sluicegate.agents.settings import Settings
from sluicegate.agents.spool.reading import read_all
from sluicegate.schemas.errors import ContractError, StreamFailed
from sluicegate.schemas.events import DecisionTrace, LedgerRecord, Position
from sluicegate.schemas.reason_codes import meaning_of

_START_OF_A_SPOOL: Final = b"SQLite format 3\0"


def record_of_event(settings: Settings, event_id: str, file: Path | None) -> LedgerRecord:
    """The newest record of the event in `file`, or in the ledger's topic.

    Raises:
        BrokerUnavailable: the brokers do not answer, or there is too much to read.
        ContractError: there is no record of the event.
        SpoolFailed, StreamFailed: the file cannot be read.
    """
    if file is None:
        record = LedgerTopic(settings).find(event_id)
    elif _is_spool(file):
        kept = (stored.record for stored in read_all(file) if stored.intact)
        record = newest((each.value for each in kept if each.topic == settings.topic_ledger), event_id)
    else:
        record = LedgerFile(file).find(event_id)
    if record is None:
        raise ContractError(f"{file or settings.topic_ledger} has no ledger record of {event_id!r}: check the id")
    return record


def _is_spool(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(len(_START_OF_A_SPOOL)) == _START_OF_A_SPOOL
    except OSError as error:
        raise StreamFailed(f"cannot read the ledger {file}: {error.strerror or error}") from None


def print_record(record: LedgerRecord, *, as_json: bool) -> None:
    """Print a ledger record, as a report or as one JSON object."""
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(record) + b"\n")
        return
    console = report_console()
    trace = record.decision
    if trace is None:
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


def _event(record: LedgerRecord) -> Iterator[Fact]:
    yield "event", visible(f"{record.event_id}{' (decided by a shadow)' if record.shadow else ''}")
    if record.query is not None:
        yield "query", visible(record.query)
    if record.validation != "valid":
        yield "error", visible(record.validation)
    if record.review:
        decided = {True: "allowed", False: "blocked", None: "not decided"}[record.review.allow]
        yield "review", visible(f"{decided} by {record.review.reviewer or 'nobody yet'}")
    yield "outcome", visible(record.outcome)
    yield "raw record", _place(record.source)
    for number, position in enumerate(record.outputs):
        yield "" if number else "outputs", _place(position)
    yield "processed", visible(f"{record.processing_time:%Y-%m-%d %H:%M:%S %Z} in {record.latency_ms.total:.1f} ms")
    yield "tokens", Text(f"{record.tokens.input} read, {record.tokens.output} written")
    yield "trace", visible(record.trace_id)
    yield "model", visible(record.model_version)
    yield "prompt", visible(record.prompt_version)
    yield "policy", visible(record.policy_version or "unknown")


def _place(position: Position) -> Text:
    return visible(f"{position.topic}, partition {position.partition}, offset {position.offset}")
