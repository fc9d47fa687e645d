"""The command line; `main` is what ``sluice`` runs."""

from sluicegate.agents.cli.app import main

__all__ = ["main"]
