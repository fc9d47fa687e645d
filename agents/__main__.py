"""``python -m agents``: the same as ``sluice``."""

from agents.cli import main

main()
