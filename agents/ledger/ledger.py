"""What a ledger is to the doors that write to it."""

from typing import Protocol

import msgspec

from sluicegate.agents.settings import Settings


class LedgerEntry(msgspec.Struct, frozen=True):
    """One audit record: `value` is a `LedgerRecord` as JSON, `event_id` identifies it."""

    event_id: str
    value: bytes
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Ledger(Protocol):
    """Keeps audit records. Used on the event loop that opened it."""

    async def open(self, settings: Settings) -> None:
        """Get ready to write.

        Raises:
            SluicegateError: it cannot be written to; says why.
        """

    async def write(self, entry: LedgerEntry) -> None:
        """Keep `entry`. What that means when this returns, each ledger says for itself.

        Raises:
            LedgerFailed: it could not be kept.
        """

    async def close(self) -> None:
        """Finish what is under way, and free what was opened."""
