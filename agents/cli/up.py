"""``sluice up``: a broker, the worker and sample queries on this machine."""

from typing import Annotated

import typer


def up(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the broker and the worker running until Ctrl-C.")] = False,
) -> None:
    """Show a live demo in this terminal: a local broker, the worker and sample queries.

    Example: `sluice up --keep`
    """
    from sluicegate.agents.cli.streams import exit_on_sigterm
    from sluicegate.agents.cli.table_console import table_console
    from sluicegate.agents.local.up import run_demo

    exit_on_sigterm()
    run_demo(table_console(), keep=keep)
