"""``python -m sluicegate``: the same as ``sluice``."""

from sluicegate.agents.cli import main

main()
