"""A FastAPI service with one gate on its event loop: ``uvicorn fastapi_app:app``.

The gate opens before the port does and closes after the last request. Requests that arrive together share calls of the
model. With several uvicorn workers each process opens its own gate; all of them may append to one file of JSON lines.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI, HTTPException, Request

from sluicegate import AsyncGate, ContractError, JsonLinesLedger


class State(TypedDict):
    """What every request can reach."""

    gate: AsyncGate


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[State]:
    """Open the gate for as long as the application runs."""
    async with AsyncGate(ledger=JsonLinesLedger(os.environ.get("LEDGER", "ledger.jsonl"))) as gate:
        yield {"gate": gate}


app = FastAPI(lifespan=lifespan)


@app.get("/search")
async def search(request: Request, q: str) -> dict[str, object]:
    """What to search for, or 403 for a query that is not allowed."""
    gate: AsyncGate = request.state.gate
    try:
        decision = await gate.decide(q)
    except ContractError as error:
        raise HTTPException(422, str(error)) from None
    if not decision.allow:
        raise HTTPException(403, {"reason": decision.reason, "event_id": decision.event_id})
    return {"search_for": decision.lexical, "event_id": decision.event_id}
