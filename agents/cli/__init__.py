"""The command line; `main` is what ``sluice`` runs."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run a command. Ctrl-C ends it with exit code 130 and no traceback, also while its modules are imported."""
    try:
        from sluicegate.agents.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
