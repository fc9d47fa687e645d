"""The ledger records of one event, for commands that show them."""

import math
import sys
from pathlib import Path
from typing import Final

from sluicegate.agents.cli.progress import show_progress
from sluicegate.agents.ledger.search import LedgerFile, find_life
from sluicegate.agents.ledger.topic_search import LedgerTopic
from sluicegate.agents.settings import Settings
from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import LedgerRecord

STANDARD_INPUT: Final = Path("-")


def records_of_event(settings: Settings, name: str | None, file: Path | None) -> tuple[str, list[LedgerRecord]]:
    """The id of the event called `name`, and its records in `file`, or in the ledger's topic; at least one.

    Without `name` it is the one event that `file` is about.

    Raises:
        BrokerUnavailable: the brokers do not answer.
        ContractError: there is no record of the event; or `name`, or the file, means several events.
        SpoolFailed, StreamFailed: the file cannot be read.
    """
    if file == STANDARD_INPUT:
        lines = sys.stdin.buffer.readlines()
        event_id, records = find_life(lambda: lines, name)
    elif file:
        event_id, records = LedgerFile(file).records_of(name)
    elif name is None:
        raise ContractError("name an event, or give a file of ledger records with --file")
    else:
        with show_progress(f"reading {settings.topic_ledger}") as show:
            event_id, records = LedgerTopic(settings, within_s=math.inf, show=show).records_of(name)
    if not records:
        where = "standard input" if file == STANDARD_INPUT else file or settings.topic_ledger
        raise ContractError(f"{where} has no ledger record of {event_id!r}: check the id")
    return event_id, records
