"""What verifying drafts gains at low load: ``python -m benchmarks.drafts`` prints a table.

A model of Qwen3-0.6B's shape keeps every query, in three tokens. 1, 2, 4 and 8 queries are in flight: each answer lets
the next query in. All go through the micro-batcher.

    twelve tokens    the style `adapted-1`: the intent's name and the query, written step by step
    decoded          three tokens, step by step
    drafts           three tokens, verified in one pass where that pays
    wrong drafts     every draft is verified and wrong, then decoded. The engine itself stops trying when most are wrong

The weights are noise, except that the answer is given. So drafts are always sure and right, or always wrong. How often
they are for a model that was tuned is for its owner to measure.
"""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.feeding import Measured, Stopwatch, ask
from benchmarks.full_size import build, product_queries
from sluicegate.agents.deciding.micro_batcher import Batched, MicroBatcher
from sluicegate.agents.process.start_environment import restart_with_environment
from sluicegate.models.inference.batch_cost import LARGE_COST, BatchCost
from sluicegate.models.inference.engine import Engine
from sluicegate.models.inference.judge import EncodedQuery
from sluicegate.models.inference.labels import Category, Intent
from sluicegate.models.inference.prompts import ALLOW_LETTER, INTENT_LETTERS, KEEP
from sluicegate.schemas.events import Threshold

_BLOCK_NONE: Final = dict.fromkeys(Category, Threshold(allow=1, block=2))
_OLD_ANSWER: Final = 12
_DECODED: Final = msgspec.structs.replace(LARGE_COST, draft_token=0.0)
_ALWAYS: Final = msgspec.structs.replace(LARGE_COST, draft_call=-1e9)
_OLD: Final = msgspec.structs.replace(_DECODED, answer=_OLD_ANSWER)
_WAYS: Final[dict[str, tuple[BatchCost, BatchCost]]] = {
    "twelve tokens": (_DECODED, _OLD),
    "decoded": (_DECODED, _DECODED),
    "drafts": (LARGE_COST, LARGE_COST),
    "wrong drafts": (_ALWAYS, LARGE_COST),
}
"""By name: the costs by which the engine decides about drafts, and by which batches are made up."""


def _measure(engine: Engine, way: str, queries: Sequence[EncodedQuery], in_flight: int) -> Measured:
    def write_twelve(batch: Sequence[EncodedQuery]) -> Sequence[object]:
        engine.exercise(len(batch), max(len(query.tokens) for query in batch), _OLD_ANSWER)
        return batch

    run_batch: Callable[[Sequence[EncodedQuery]], Sequence[object]] = engine.judge
    if way == "twelve tokens":
        run_batch = write_twelve
    if way == "wrong drafts":  # the draft is that the hint is taken
        queries = [replace(query, hint=query.text) for query in queries]

    async def judge_all() -> list[float]:
        loop = asyncio.get_running_loop()
        async with MicroBatcher(
            run_batch,
            length=lambda query: len(query.tokens),
            cost=_WAYS[way][1],
            batch_size=64,
            capacity=in_flight,
            replicas=engine.replicas,
        ) as batcher:

            async def judge(query: EncodedQuery) -> Batched[object]:
                return await batcher.submit(query, deadline=loop.time() + 3600)

            return await ask(judge, queries, in_flight)

    watch = Stopwatch()
    return watch.measured(asyncio.run(judge_all()))


def main(
    count: Annotated[int, typer.Option(min=4, help="Queries of each measurement.")] = 32,
    replicas: Annotated[int, typer.Option(help="Copies of the model; 0 as the engine chooses.")] = 0,
    threads: Annotated[int, typer.Option(help="Threads of each; 0 as the engine chooses.")] = 0,
    scratch: Annotated[Path | None, typer.Option(help="Folder with 3 GB of free space; a model there is used.")] = None,
) -> None:
    """Make a random model of full size, and measure p50 and p99 with 1 to 8 queries in flight."""
    restart_with_environment()
    with tempfile.TemporaryDirectory(prefix="sluicegate-") as made:
        folder = scratch or Path(made)
        build(folder, ["adapted"], [ALLOW_LETTER, KEEP, INTENT_LETTERS[Intent.PRODUCT_SEARCH]], for_peers=False)
        rows: dict[int, list[str]] = {in_flight: [] for in_flight in (1, 2, 4, 8)}
        for way, (cost, _) in _WAYS.items():
            engine = Engine(
                folder / "adapted", thresholds=_BLOCK_NONE, cost=cost, intra_threads=threads, replicas=replicas
            )
            queries = [engine.encode(text, correct=False) for text in product_queries(count)]
            for query in queries[:4]:
                (result,) = engine.judge([query])
                assert (result.intent, result.output_tokens) == (Intent.PRODUCT_SEARCH, 3)
            for in_flight, cells in rows.items():
                found = _measure(engine, way, queries, in_flight)
                cells.append(f"{found.p50_ms:.0f} / {found.p99_ms:.0f} ms, {found.rate:.1f}/s")
    table = Table("in flight", *_WAYS, title="p50 / p99, queries a second")
    for in_flight, cells in rows.items():
        table.add_row(str(in_flight), *cells)
    Console(width=140).print(table)


if __name__ == "__main__":
    typer.run(main)
