"""``sluice explain``: one record of the ledger for a person: what was decided about an event, and why."""

from typing import Annotated

import typer

from sluicegate.agents.cli.options import Brokers, EventName, RecordsFile


def explain(
    event: EventName,
    file: RecordsFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
    brokers: Brokers = None,
) -> None:
    """Show what was decided about a past event, and why, from its audit record. `sluice trace` shows its whole life.

    It shows each reading, each probability with its two thresholds, the rule that decided, and where the raw record and
    the outputs are; of a reviewed event also who decided it. `--json` prints the record that says what became of it.
    The query is shown only if the ledger keeps it (`SLUICE_LEDGER_TEXT`).

    Example: `sluice explain order-4711`

    Example: `sluice explain order-4711 --file decisions.jsonl`
    """
    from sluicegate.agents.cli.explain_report import print_records
    from sluicegate.agents.cli.ledger_records import records_of_event
    from sluicegate.agents.cli.streams import reader_may_leave
    from sluicegate.agents.ledger.search import newest_of
    from sluicegate.agents.settings import load_settings

    found, records = records_of_event(load_settings(bootstrap_servers=brokers), event, file)
    with reader_may_leave():
        print_records(newest_of(records, found), as_json=as_json)
