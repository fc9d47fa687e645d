"""The command line; `main` is what ``sluice`` runs."""

from agents.cli.app import main

__all__ = ["main"]
