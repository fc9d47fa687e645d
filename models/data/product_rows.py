"""Write generated product queries with what is right for each, for ``sluice eval expansions``.

``python -m sluicegate.models.data.product_rows OUT --rows 4000 --seed 7``
"""

import random
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from sluicegate.models.data.products import product_query


def main(
    out: Annotated[Path, typer.Argument(help="JSON Lines file to write.")],
    rows: Annotated[int, typer.Option(min=1, help="How many.")] = 4000,
    seed: Annotated[int, typer.Option(help="Another seed gives other queries.")] = 7,
) -> None:
    """Write rows with `query`, `facets` and, where the catalogue knows them, `synonyms`."""
    rng = random.Random(seed)  # noqa: S311 - reproducible data, not a secret
    out.write_bytes(b"".join(orjson.dumps(_row(rng)) + b"\n" for _ in range(rows)))


def _row(rng: random.Random) -> dict[str, Any]:
    query = product_query(rng)
    known = {} if query.synonyms is None else {"synonyms": query.synonyms}
    return {"query": query.text, "facets": query.facets, **known}


if __name__ == "__main__":
    typer.run(main)
