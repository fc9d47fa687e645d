"""A model of Qwen3-0.6B's shape, from checkpoint to answers: ``python -m benchmarks.full_size`` prints what it takes.

The weights are noise, so an answer means nothing and always runs to its full length; the work is the stock model's: the
zero_shot prompts around product queries, the engine behind the micro-batcher. The tokenizer is learnt from those texts,
so that they have about as many tokens as in Qwen3's own.

Linux only. Set GLIBC_TUNABLES as the Dockerfile does to measure what the worker there would do.
"""

import asyncio
import inspect
import random
import re
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from agents.microbatch import MicroBatcher
from models import prompts
from models.compile import compile_checkpoint
from models.engine import EncodedQuery, Engine, Judgement
from models.labels import LABELS_VERSION, Category
from models.manifest import WEIGHTS_FILE, Manifest
from models.training.products import product_query
from schemas.events import Threshold
from tests.checkpoints import QWEN3_0_6B, SPECIAL_TOKENS, write_checkpoint

_SEED: Final = 11
_ANSWER_TOKENS: Final = 12
_BLOCK_ALL: Final = dict.fromkeys(Category, Threshold(allow=0, block=0))
_BLOCK_NONE: Final = dict.fromkeys(Category, Threshold(allow=1, block=2))


@dataclass(frozen=True)
class Served:
    """What one process measured: `batches` are their sizes."""

    load_s: float
    serve_s: float
    batches: list[int]
    query_tokens: list[int]
    input_tokens: list[int]
    output_tokens: list[int]
    peak_bytes: int


def queries(count: int) -> list[str]:
    """Product queries, the same for every run."""
    rng = random.Random(_SEED)
    return [product_query(rng).text for _ in range(count)]


def natural_tokenizer() -> Tokenizer:
    """A tokenizer to which the words of our queries and prompts are a token or two each."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=8192,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*queries(4000), inspect.getsource(prompts)], trainer)
    return tokenizer


def build(folder: Path) -> tuple[Manifest, float]:
    """Write a random checkpoint and compile it into ``folder/model``; returns the seconds that compiling took."""
    checkpoint = write_checkpoint(folder / "checkpoint", QWEN3_0_6B, shards=2, tokenizer=natural_tokenizer())
    started = time.perf_counter()
    manifest = compile_checkpoint(
        checkpoint,
        folder / "model",
        quantization="int8",
        profile="zero_shot",
        labels_version=LABELS_VERSION,
        prompt_version=prompts.PROMPT_VERSIONS["zero_shot"],
    )
    return manifest, time.perf_counter() - started


def serve(folder: Path, texts: list[str], rewrite: bool, batch_size: int) -> Served:
    """Load the model and judge all of `texts`, submitted at once. Runs in a process of its own, for its memory."""
    started = time.perf_counter()
    engine = Engine(folder, thresholds=_BLOCK_NONE if rewrite else _BLOCK_ALL, max_answer_tokens=_ANSWER_TOKENS)
    load_s = time.perf_counter() - started
    encoded = [engine.encode(text) for text in texts]
    engine.judge(encoded[:1])  # the instructions' key-value state is made once and kept
    batches: list[int] = []

    def judge(batch: Sequence[EncodedQuery]) -> list[Judgement]:
        batches.append(len(batch))
        return engine.judge(batch)

    async def judge_all() -> list[Judgement]:
        deadline = asyncio.get_running_loop().time() + 3600
        async with MicroBatcher(
            judge,
            length=lambda query: len(query.tokens),
            cost=engine.cost,
            batch_size=batch_size,
            capacity=len(encoded),
        ) as batcher:
            answers = await asyncio.gather(*(batcher.submit(query, deadline=deadline) for query in encoded))
        return [answer.result for answer in answers]

    started = time.perf_counter()
    judgements = asyncio.run(judge_all())
    return Served(
        load_s=load_s,
        serve_s=time.perf_counter() - started,
        batches=batches,
        query_tokens=[len(query.tokens) for query in encoded],
        input_tokens=[judgement.input_tokens for judgement in judgements],
        output_tokens=[judgement.output_tokens for judgement in judgements],
        peak_bytes=_peak_bytes(),
    )


def _peak_bytes() -> int:
    """The most memory that this process had; getrusage would count what its parent had when it started it."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def _table(manifest: Manifest, weights_bytes: int, compile_s: float, runs: dict[str, Served]) -> Table:
    table = Table("", *runs, title=f"{manifest.parameters / 1e6:.0f} M parameters, {manifest.quantization}")
    table.add_row("compile", f"{compile_s:.1f} s")
    table.add_row("model file", f"{weights_bytes / 1e6:.0f} MB")
    table.add_row("load", *(f"{run.load_s:.1f} s" for run in runs.values()))
    table.add_row("queries per second", *(f"{len(run.query_tokens) / run.serve_s:.1f}" for run in runs.values()))
    table.add_row(
        "batches, mean size", *(f"{len(run.batches)}, {statistics.mean(run.batches):.1f}" for run in runs.values())
    )
    table.add_row("tokens of a query, median", *(f"{statistics.median(run.query_tokens):.0f}" for run in runs.values()))
    table.add_row("tokens read, mean", *(f"{statistics.mean(run.input_tokens):.0f}" for run in runs.values()))
    table.add_row("tokens written, mean", *(f"{statistics.mean(run.output_tokens):.0f}" for run in runs.values()))
    table.add_row("peak memory", *(f"{run.peak_bytes / 1e6:.0f} MB" for run in runs.values()))
    return table


def main(
    count: Annotated[int, typer.Option(min=1, help="Queries judged in each run.")] = 200,
    batch_size: Annotated[int, typer.Option(min=1, help="Most queries in one call of the engine.")] = 32,
    scratch: Annotated[Path | None, typer.Option(help="Folder with 2 GB of room for the models.")] = None,
) -> None:
    """Make, compile and serve a random model of full size."""
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="sluicegate-", dir=scratch) as folder:
        console.print("making and compiling a random checkpoint")
        manifest, compile_s = build(Path(folder))
        model = Path(folder) / "model"
        runs: dict[str, Served] = {}
        for name, rewrite in (("gate", False), ("gate and rewrite", True)):
            console.print(f"serving {count} queries: {name}")
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                runs[name] = process.submit(serve, model, queries(count), rewrite, batch_size).result()
        Console().print(_table(manifest, (model / WEIGHTS_FILE).stat().st_size, compile_s, runs))


if __name__ == "__main__":
    typer.run(main)
