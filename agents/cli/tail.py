"""``sluice tail``: read the topics from the command line."""

from typing import Annotated

import typer

from sluicegate.agents.cli.options import Brokers


def tail(
    names: Annotated[
        list[str] | None, typer.Argument(help="Events to read, for example recall. Default: every output.")
    ] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Start at the oldest record.")] = False,
    brokers: Brokers = None,
) -> None:
    """Read the output topics, one JSON line per record, until Ctrl-C.

    Example: `sluice tail blocked review --from-beginning`
    """
    from sluicegate.agents.cli.console import tail_topics
    from sluicegate.agents.cli.streams import reader_may_leave
    from sluicegate.agents.settings import load_settings

    with reader_may_leave():
        tail_topics(load_settings(bootstrap_servers=brokers), names, from_beginning=from_beginning)
