"""A search service that asks the gate over HTTP, and a page that says "did you mean": ``uvicorn did_you_mean:app``.

The gate is one request away (``sluice serve``). It may be slow or away: then the service searches for the words as they
were typed, in its own catalogue only, and says that nobody checked them.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypedDict

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse

GATE = os.environ.get("GATE_URL", "http://localhost:8080")
PAGE = Path(__file__).with_suffix(".html")
TIME_LIMIT_S = 1.0
LONGEST_QUERY = 200
CATALOGUE = ("wireless headphones", "running shoes", "stainless steel refrigerator", "red running shorts")


class State(TypedDict):
    """What every request can reach."""

    gate: httpx.AsyncClient


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[State]:
    """Keep connections to the gate open for as long as the service runs."""
    async with httpx.AsyncClient(base_url=GATE, timeout=TIME_LIMIT_S) as gate:
        yield {"gate": gate}


app = FastAPI(lifespan=lifespan)


@app.get("/")
def page() -> FileResponse:
    """The page."""
    return FileResponse(PAGE, headers={"Content-Security-Policy": "default-src 'self' 'unsafe-inline'"})


@app.get("/search")
async def search(request: Request, q: str) -> dict[str, object]:
    """The products for `q`, what was searched for, and what else the user may have meant."""
    decision = await ask(request.state.gate, q[:LONGEST_QUERY])
    if decision is None:
        return {"checked": False, "searched_for": q, "products": find(q), "did_you_mean": []}
    if not decision["allow"]:
        return {"checked": True, "searched_for": None, "products": [], "did_you_mean": []}
    words: str = decision["lexical"]
    suggestions = [suggestion["text"] for suggestion in decision["suggestions"]]
    return {"checked": True, "searched_for": words, "products": find(words), "did_you_mean": suggestions}


async def ask(gate: httpx.AsyncClient, query: str) -> dict[str, Any] | None:
    """The gate's decision; None if there is none in time."""
    try:
        answer = await gate.post("/v1/gate", json={"text": query, "surface": "example"})
        decision: dict[str, Any] = answer.raise_for_status().json()
    except httpx.HTTPError:
        return None
    return decision


def find(words: str) -> list[str]:
    """The products with one of these words."""
    wanted = set(words.lower().split())
    return [product for product in CATALOGUE if wanted & set(product.split())]
