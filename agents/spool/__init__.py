"""The spool: records on disk that wait for a broker. See docs/edge.md."""

from sluicegate.agents.spool.group_commit import GroupCommit
from sluicegate.agents.spool.record import SpoolRecord, SpoolStatistics, StoredRecord, WhenFull
from sluicegate.agents.spool.store import Spool

__all__ = ["GroupCommit", "Spool", "SpoolRecord", "SpoolStatistics", "StoredRecord", "WhenFull"]
