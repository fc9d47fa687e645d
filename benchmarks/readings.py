"""What the further readings of queries cost: ``python -m benchmarks.readings [FILE]``.

FILE has JSON lines with `query` or `text`; without one, the benchmarks' own queries are taken. It measures the share of
queries that are read more than once, the CPU time of normalising, of looking for disguise, of making all readings (with
the speller, whose answers it keeps: words that it has seen cost nothing), and of the model with and without the further
readings, in turns.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from benchmarks.queries import mixed_queries
from sluicegate.agents.deciding.decider import load_engine
from sluicegate.agents.settings import EMBEDDED_MODEL, load_settings
from sluicegate.models.inference.encoded_readings import encode_readings
from sluicegate.models.inference.judge import EncodedQuery
from sluicegate.models.text.normalise import normalise
from sluicegate.models.text.readings import further_readings

_ROUNDS: Final = 5
_BATCH: Final = 32


def main(
    file: Annotated[Path | None, typer.Argument(help="JSON lines with `query` or `text`.")] = None,
    model: Annotated[Path, typer.Option(help="Folder of a compiled model.")] = EMBEDDED_MODEL,
    queries: Annotated[int, typer.Option(min=100, help="Queries to measure.")] = 2000,
) -> None:
    """Print the share of queries with further readings, and what these cost."""
    texts = _read(file)[:queries] if file else mixed_queries(queries)
    plain = [normalise(text).text or " " for text in texts]
    engine = load_engine(load_settings(model=model))
    encoded = [encode_readings(engine, text) for text in plain]
    more = sum(len(each.readings) > 1 for each in encoded)
    hidden = sum(bool(each.codes) for each in encoded)
    once = [each.query for each in encoded]
    every = [reading.query for each in encoded for reading in each.readings]

    def judge(batch: Sequence[EncodedQuery]) -> None:
        ordered = sorted(batch, key=lambda query: len(query.tokens))
        for start in range(0, len(ordered), _BATCH):
            engine.judge(ordered[start : start + _BATCH])

    print(f"{len(plain)} queries: {more / len(plain):.2%} read more than once, {hidden / len(plain):.2%} disguised")
    ways: dict[str, Callable[[], object]] = {
        "normalise": lambda: [normalise(text) for text in texts],
        "look for disguise and length": lambda: [further_readings(text) for text in plain],
        "tokens and speller": lambda: [encode_readings(engine, text) for text in plain],
        "model, each query once": lambda: judge(once),
        "model, all readings": lambda: judge(every),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, run in ways.items():
            began = time.process_time()
            run()
            times[name].append((time.process_time() - began) / len(plain) * 1e6)
    for name, measured in times.items():
        print(f"{name:30} {statistics.median(measured):9.1f} µs of CPU per query")


def _read(file: Path) -> list[str]:
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return [str(row.get("query") or row.get("text")) for row in rows]


if __name__ == "__main__":
    typer.run(main)
