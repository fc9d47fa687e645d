"""From a decision to its audit record in a ledger: the same record that a worker writes."""

import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from typing import Self

from sluicegate.agents.deciding.decider import Decider, OwnerT
from sluicegate.agents.deciding.decision import Decision
from sluicegate.agents.deciding.ledger_record import Stamp, make_ledger_record, outcome_of
from sluicegate.agents.ledger.ledger import Ledger, LedgerEntry
from sluicegate.agents.settings import Settings
from sluicegate.schemas.codec import encode
from sluicegate.schemas.events import Context, LedgerRecord, Position, StageLatencies


class Recorder:
    """Writes the audit records of one door's decisions."""

    def __init__(self, ledger: Ledger, settings: Settings, door: str) -> None:
        self._ledger = ledger
        self._with_text = settings.ledger_text
        self._source = f"{door}:{socket.gethostname()}"[:200]
        self._numbers = count()

    @classmethod
    @asynccontextmanager
    async def running(cls, ledger: Ledger, settings: Settings, *, door: str) -> AsyncIterator[Self]:
        """Open `ledger`, and close it at the end of the block. `door` says who decides, as in "gate" or "http"."""
        await ledger.open(settings)
        try:
            yield cls(ledger, settings, door)
        finally:
            await ledger.close()

    async def record(
        self,
        query: str,
        decision: Decision,
        decider: Decider[OwnerT],
        *,
        event_id: str,
        trace_id: str,
        headers: tuple[tuple[str, bytes | None], ...] = (),
        context: Context | None = None,
        shadow: bool = False,
    ) -> None:
        """Write the record of `decision` about `query`. The text is in it with SLUICE_LEDGER_TEXT only.

        `context` is what the caller said about the query. `shadow`: the decision was made for the ledger only.

        Raises:
            LedgerFailed: it could not be kept.
        """
        manifest, batched = decider.engine.manifest, decision.batched
        started_ns = decision.normalise_started_ns
        record = make_ledger_record(
            Stamp(
                event_id,
                datetime.fromtimestamp(started_ns / 1e9, UTC),
                manifest.model_version,
                manifest.prompt_version,
            ),
            source=self.next_source(),
            outcome=outcome_of(decision),
            trace_id=trace_id,
            latency_ms=StageLatencies(
                normalise=_ms(started_ns, decision.normalise_ended_ns),
                queue=_ms(batched.queued_ns, batched.started_ns) if batched else None,
                model=_ms(batched.started_ns, batched.ended_ns) if batched else None,
                second=_ms(decision.second.started_ns, decision.second.ended_ns) if decision.second else None,
                total=_ms(started_ns, time.time_ns()),
            ),
            decision=decision,
            policy=decider.engine.policy,
            with_text=self._with_text,
            context=context,
            shadow=shadow,
            input_hash=sha256(query.encode(errors="replace")).hexdigest(),
        )
        await self.write(record, headers)

    def next_source(self) -> Position:
        """Where the next record says that its text came from: this door, this process, and a number."""
        return Position(topic=self._source, partition=os.getpid(), offset=next(self._numbers))

    async def write(self, record: LedgerRecord, headers: tuple[tuple[str, bytes | None], ...] = ()) -> None:
        """Keep `record`.

        Raises:
            LedgerFailed: it could not be kept.
        """
        await self._ledger.write(LedgerEntry(record.event_id, encode(record), headers))


def _ms(started_ns: int, ended_ns: int) -> float:
    return max(0, ended_ns - started_ns) / 1e6
