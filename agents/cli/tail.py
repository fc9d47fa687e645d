"""``sluice tail``: read the topics from the command line."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from sluicegate.agents.cli.options import Brokers

if TYPE_CHECKING:
    from sluicegate.agents.kafka.record import Record


def _event_names(typed: str) -> list[str]:
    from sluicegate.schemas.topics import TOPICS

    return [name for name in TOPICS if name.startswith(typed)]


def tail(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Events to read, for example recall. Default: every output.", autocompletion=_event_names),
    ] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Start at the oldest record.")] = False,
    until_now: Annotated[
        bool, typer.Option("--until-now", help="Print the records that exist now, oldest first, and end.")
    ] = False,
    newest: Annotated[
        int | None,
        typer.Option("--newest", min=1, max=10_000, help="Print this many of the newest records by time, and end."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="End after this many records.")] = None,
    event_ids: Annotated[
        list[str] | None, typer.Option("--event-id", help="Only records of this event; repeat for more.")
    ] = None,
    short: Annotated[
        bool | None,
        typer.Option("--short/--json", help="One short line per record. Default: short on a terminal, otherwise JSON."),
    ] = None,
    brokers: Brokers = None,
) -> None:
    """Read the output topics, one line per record, until Ctrl-C.

    Without `--from-beginning`, `--until-now` or `--newest` it prints new records only.

    Example: `sluice tail blocked review --newest 10`
    """
    from sluicegate.agents.cli.record_lines import json_line, short_line
    from sluicegate.agents.cli.streams import reader_may_leave
    from sluicegate.agents.cli.tail_records import Selection, tail_topics
    from sluicegate.agents.settings import load_settings

    if newest and (from_beginning or until_now or limit or event_ids):
        raise typer.BadParameter("--newest goes with --short, --json and --brokers only")
    settings = load_settings(bootstrap_servers=brokers)
    if unknown := sorted(set(names or ()) - set(settings.topics)):
        raise typer.BadParameter(f"no event is called {', '.join(unknown)}: use {', '.join(settings.topics)}")
    selection = Selection(
        names=names or (),
        from_beginning=from_beginning or until_now,
        until_now=until_now,
        newest=newest,
        limit=limit,
        event_ids=frozenset(event_ids or ()),
    )
    with reader_may_leave():
        terminal = sys.stdout.isatty()
        if terminal if short is None else short:
            events = {topic: name for name, topic in settings.topics.items()}

            def summary(record: Record) -> bytes:
                width = shutil.get_terminal_size().columns if terminal else None
                return short_line(record, events[record.topic], width)

            tail_topics(settings, selection, summary)
        else:
            tail_topics(settings, selection, json_line)
