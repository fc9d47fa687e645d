"""Where the Python API keeps the audit record of each decision: a file, the spool, or Kafka."""

from sluicegate.agents.ledger.ledger import Ledger, LedgerEntry

__all__ = ["Ledger", "LedgerEntry"]
