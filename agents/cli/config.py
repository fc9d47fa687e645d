"""``sluice config``: the settings and their values."""

import typer

config = typer.Typer(no_args_is_help=True, help="The settings.")

_WIDE = 300
"""Columns when standard output is not a terminal: one line per setting."""


@config.command("show")
def config_show() -> None:
    """Show every setting: its environment variable, current value, default and meaning.

    Example: `sluice config show`
    """
    from rich.console import Console
    from rich.table import Column, Table

    from sluicegate.agents.settings import describe_settings, load_settings

    folded = (Column(name, overflow="fold") for name in ("value", "default", "meaning"))
    table = Table(Column("variable", no_wrap=True), *folded)
    for row in describe_settings(load_settings()):
        table.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console.width = _WIDE
    console.print(table)
