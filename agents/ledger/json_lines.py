"""The ledger as a file of JSON lines."""

import os
from os import PathLike
from pathlib import Path

from sluicegate.agents.ledger.ledger import LedgerEntry
from sluicegate.agents.settings import Settings
from sluicegate.schemas.errors import ConfigurationError, LedgerFailed


class JsonLinesLedger:
    """One line of JSON for each decision, appended to a file.

    A decision's line is with the operating system when `decide` returns: it survives the end of the process, and not a
    power failure. Any number of processes may append to one file, if it is on a local disk.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        """Choose the file; it is made when a gate opens, readable for its owner only."""
        self._path = Path(path)
        self._file = -1
        self._broken_off = False

    async def open(self, settings: Settings) -> None:
        """Open the file.

        Raises:
            ConfigurationError: it cannot be opened.
        """
        try:
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(f"cannot write the ledger {self._path}: {error.strerror}") from None

    async def write(self, entry: LedgerEntry) -> None:
        """Append a line.

        Raises:
            LedgerFailed: the file cannot be written to.
        """
        # A line that broke off, because the disk was full, must not run into this one.
        line = (b"\n" if self._broken_off else b"") + entry.value + b"\n"
        try:
            written = os.write(self._file, line)
        except OSError as error:
            raise LedgerFailed(f"cannot write the ledger {self._path}: {error.strerror}") from None
        self._broken_off = written < len(line)
        if self._broken_off:
            raise LedgerFailed(f"cannot write the ledger {self._path}: the disk is full")

    async def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
