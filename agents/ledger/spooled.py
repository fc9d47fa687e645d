"""The ledger as a spool on disk, which `sluice spool sync` publishes."""

import asyncio
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from sluicegate.agents.ledger.ledger import LedgerEntry
from sluicegate.agents.settings import Settings
from sluicegate.agents.spool import GroupCommit, Spool, SpoolRecord
from sluicegate.agents.spool.metrics import observe_spool
from sluicegate.schemas.errors import LedgerFailed, SpoolFailed

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter


class SpoolLedger:
    """Audit records on disk, until there is a broker. One process has one spool.

    A decision's record is on disk when `decide` returns: it survives a power failure. Decisions that are made at the
    same time share the wait for the disk.
    """

    def __init__(self, path: str | PathLike[str] | None = None, *, meter: "Meter | None" = None) -> None:
        """Choose the file, by default `SLUICE_SPOOL`. Its size, and what happens when it is full, are settings too.

        Its metrics are made from `meter`, by default from that of the process.
        """
        self._path = None if path is None else Path(path)
        self._meter = meter
        self._commits: GroupCommit | None = None

    async def open(self, settings: Settings) -> None:
        """Open the spool. A corrupt one is put aside.

        Raises:
            ConfigurationError: no file is named, or it is something else.
            SpoolFailed: another process adds to it, or it cannot be written to.
        """
        spool = await asyncio.to_thread(Spool.open, settings, self._path)
        self._topic = settings.topic_ledger
        self._commits = GroupCommit(spool)
        observe_spool(spool, self._meter)

    async def write(self, entry: LedgerEntry) -> None:
        """Add a record, and wait until it is on disk.

        Raises:
            LedgerFailed: the spool is full, or cannot be written to.
        """
        record = SpoolRecord(self._topic, entry.event_id, entry.value, entry.event_id.encode(), entry.headers)
        try:
            if self._commits is None:
                raise SpoolFailed("the spool is not open")
            await asyncio.wrap_future(self._commits.add(record))
        except SpoolFailed as error:
            raise LedgerFailed(str(error)) from error

    async def close(self) -> None:
        """Wait until what was added is on disk, and close the file."""
        if self._commits is not None:
            self._commits.close()  # not in a thread: there are none when the process ends
            self._commits = None
