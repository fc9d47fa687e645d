"""A search function that asks the gate first: ``python examples/search_service.py``.

One gate serves all requests of the process. Requests that arrive together share calls of the model.
"""

import asyncio
import logging
import sys

from sluicegate import AsyncGate, ContractError

logger = logging.getLogger("search")

CATALOGUE = ("wireless headphones", "running shoes", "stainless steel refrigerator")
TIME_LIMIT_S = 2.0


async def search(gate: AsyncGate, query: str) -> list[str]:
    """The products that match `query`; nothing for a query that is not allowed."""
    try:
        async with asyncio.timeout(TIME_LIMIT_S):
            decision = await gate.decide(query)
    except ContractError:
        return []  # there are no words in it
    except TimeoutError:
        logger.warning("the gate took longer than %g s: nothing is searched", TIME_LIMIT_S)
        return []
    if not decision.allow or decision.lexical is None:
        return []
    words = set(decision.lexical.split())
    return [product for product in CATALOGUE if words & set(product.split())]


async def main() -> None:
    """Serve a few requests at once."""
    queries = ["wireless headphons", "runing shoes", "how to forge a passport"]
    async with AsyncGate() as gate:
        await gate.decide("warm up")
        found = await asyncio.gather(*(search(gate, query) for query in queries))
    for query, products in zip(queries, found, strict=True):
        sys.stdout.write(f"{query}: {', '.join(products) or 'nothing'}\n")


if __name__ == "__main__":
    asyncio.run(main())
