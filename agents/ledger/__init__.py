"""Where the Python API keeps the audit record of each decision, and how the records of one event are found again."""

from sluicegate.agents.ledger.ledger import Ledger, LedgerEntry

__all__ = ["Ledger", "LedgerEntry"]
