"""``sluice replay``: its commands and their options."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from sluicegate.agents.cli.options import Brokers
from sluicegate.schemas.events import OutcomeName

replay = typer.Typer(
    no_args_is_help=True,
    help="Publish recorded events again, unchanged but for the header `replay_of`.\n\n"
    "Try it with `--dry-run`. docs/replay.md shows how to undo the decisions of a bad model.",
)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time: write 2026-01-31 or 2026-01-31T12:00:00Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


Since = Annotated[
    datetime | None,
    typer.Option(
        parser=_time,
        metavar="TIME",
        help="Recorded at or after this time, such as 2026-01-31T12:00:00Z. UTC by default.",
    ),
]
Until = Annotated[datetime | None, typer.Option(parser=_time, metavar="TIME", help="Recorded before this time.")]
EventIds = Annotated[list[str] | None, typer.Option("--event-id", help="Only this event; repeat for more.")]
Reasons = Annotated[
    list[str] | None,
    typer.Option("--reason", help="Only with this reason code or class of error; repeat for more."),
]
ModelVersions = Annotated[
    list[str] | None, typer.Option("--model-version", help="Only decisions of this model version; repeat for more.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be published, and publish nothing.")]
Rate = Annotated[float, typer.Option(min=0, help="Maximum number of events per second; 0: no limit.")]


@replay.command("deadletters")
def replay_deadletters(
    since: Since = None,
    until: Until = None,
    reason: Reasons = None,
    model_version: ModelVersions = None,
    event_id: EventIds = None,
    dry_run: DryRun = False,
    rate: Rate = 100,
    brokers: Brokers = None,
) -> None:
    """Publish the records of dead letters again, once their cause is fixed.

    Reasons are classes of error: ContractError, PublishFailed; of actions also SchemaUnknown, FormatFailed, Overloaded
    and others. A query on which the model failed is not a dead letter: use `ledger`.

    Each record goes back to the topic that it came from.

    Example: `sluice replay deadletters --reason PublishFailed --since 2026-01-31T12:00:00Z --dry-run`
    """
    from sluicegate.agents.cli.replay_runs import replay_events
    from sluicegate.agents.replay.selection import Filter
    from sluicegate.agents.settings import load_settings

    wanted = Filter(
        since=since,
        until=until,
        event_ids=frozenset(event_id or ()),
        reasons=frozenset(reason or ()),
        model_versions=frozenset(model_version or ()),
    )
    replay_events(load_settings(bootstrap_servers=brokers), "deadletter", wanted, rate=rate, dry_run=dry_run)


@replay.command("ledger")
def replay_ledger(
    since: Since = None,
    until: Until = None,
    reason: Reasons = None,
    model_version: ModelVersions = None,
    outcome: Annotated[OutcomeName | None, typer.Option(help="Only with this outcome.")] = None,
    event_id: EventIds = None,
    dry_run: DryRun = False,
    rate: Rate = 100,
    brokers: Brokers = None,
) -> None:
    """Publish the records behind decisions again, so that they are decided again.

    The latest decision on an event counts: a second run leaves out what has been decided again since. Records that
    retention has deleted from the input topic are counted and left out.

    Reasons are reason codes, such as degraded:EngineFailed, and the classes of error of dead letters.

    Example: `sluice replay ledger --model-version bad@d60198093eb7 --dry-run`
    """
    from sluicegate.agents.cli.replay_runs import replay_events
    from sluicegate.agents.replay.selection import Filter
    from sluicegate.agents.settings import load_settings

    wanted = Filter(
        since=since,
        until=until,
        event_ids=frozenset(event_id or ()),
        reasons=frozenset(reason or ()),
        model_versions=frozenset(model_version or ()),
        outcome=outcome,
    )
    replay_events(load_settings(bootstrap_servers=brokers), "ledger", wanted, rate=rate, dry_run=dry_run)


@replay.command("range")
def replay_range(
    records: Annotated[str, typer.Argument(metavar="TOPIC:PARTITION:FROM-TO", help="Offsets, both included.")],
    since: Since = None,
    until: Until = None,
    event_id: EventIds = None,
    dry_run: DryRun = False,
    rate: Rate = 100,
    brokers: Brokers = None,
) -> None:
    """Publish a range of raw records again, from an input topic or a copy of that of queries.

    Example: `sluice replay range queries.raw:3:1000-1999 --rate 50`
    """
    from sluicegate.agents.cli.replay_runs import range_of, replay_events
    from sluicegate.agents.replay.selection import Filter
    from sluicegate.agents.settings import load_settings

    settings = load_settings(bootstrap_servers=brokers)
    wanted = Filter(since=since, until=until, event_ids=frozenset(event_id or ()))
    replay_events(settings, range_of(records, settings), wanted, rate=rate, dry_run=dry_run)
