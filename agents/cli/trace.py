"""``sluice trace``: the whole life of one event, for a person: every record of the ledger about it, and its spans."""

from typing import Annotated

import typer

from sluicegate.agents.cli.options import Brokers, OptionalEventName, RecordsFile


def trace(
    event: OptionalEventName = None,
    file: RecordsFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the records and the spans as JSON.")] = False,
    brokers: Brokers = None,
) -> None:
    """Show what became of one event, step by step, and why: its decision, reviews, appeals and replays.

    Each step has its time, the rule that decided, each probability with its two thresholds, the time of each stage, and
    where the outputs are. If `SLUICE_TRACES_URL` names a Jaeger or a Tempo, the spans of all services follow. Without
    EVENT, the file must be about one event.

    Example: `sluice trace order-4711`

    Example: `sluice trace queries.raw-3-1042`

    Example: `sluice tail ledger --json --limit 1 | sluice trace --file -`
    """
    from sluicegate.agents.cli.ledger_records import records_of_event
    from sluicegate.agents.cli.streams import reader_may_leave
    from sluicegate.agents.cli.trace_report import print_json, print_life
    from sluicegate.agents.cli.trace_spans import spans_of
    from sluicegate.agents.settings import load_settings

    settings = load_settings(bootstrap_servers=brokers)
    event_id, records = records_of_event(settings, event, file)
    spans = spans_of(settings.traces_url, dict.fromkeys(record.trace_id for record in records))
    with reader_may_leave():
        (print_json if as_json else print_life)(event_id, records, spans)
