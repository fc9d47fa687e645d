"""How long one query takes inside the process, gate and answer, a batch of one: ``python -m benchmarks.latency``."""

import random
import statistics
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sluicegate.agents.deciding.decider import load_engine
from sluicegate.agents.settings import EMBEDDED_MODEL, load_settings
from sluicegate.models.data.corruption import corrupt
from sluicegate.models.data.products import product_query
from sluicegate.models.text.normalise import normalise

_QUERIES = 1000
_WARM_UP = 50


def main(model: Annotated[Path, typer.Option(help="Folder of a compiled model.")] = EMBEDDED_MODEL) -> None:
    """Time misspelt product queries one by one: normalise, encode, judge."""
    engine = load_engine(load_settings(model=model))
    rng = random.Random(7)
    milliseconds = []
    for query in [corrupt(product_query(rng).text, rng) for _ in range(_WARM_UP + _QUERIES)]:
        started = time.perf_counter()
        engine.judge([engine.encode(normalise(query).text)])
        milliseconds.append((time.perf_counter() - started) * 1000)
    cuts = statistics.quantiles(milliseconds[_WARM_UP:], n=100)
    table = Table("model", "queries", "p50 ms", "p95 ms", "p99 ms", title="One query at a time")
    table.add_row(engine.manifest.model_version, str(_QUERIES), *(f"{cuts[n - 1]:.1f}" for n in (50, 95, 99)))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
