"""The console for the tables of commands."""

import os
from typing import Final

from rich.console import Console

_AS_WIDE_AS_NEEDED: Final = 10_000


def table_console() -> Console:
    """A console on standard output: as wide as the terminal or, in a pipe or a file, as wide as each table needs.

    The variable COLUMNS sets the width of both.
    """
    console = Console()
    if not console.file.isatty() and "COLUMNS" not in os.environ:
        console.width = _AS_WIDE_AS_NEEDED
    return console
