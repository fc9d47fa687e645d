"""A model of Qwen3-0.6B's shape in our engine and in others: ``python -m benchmarks.engine`` prints a table.

The weights are random, so an answer means nothing and has the length that is asked for. The work is that of real
weights (`benchmarks.full_size`). All engines get the same stream of product queries, as Qwen3's own tokenizer counts
them, with as many at once as the window holds. `gate` reads a query and writes one token. `three tokens` writes two
more: the action and the intent of our style `adapted`. `gate and rewrite` writes twelve more: an intent and a query in
words, as a model does that was not taught our style.

    sluicegate          the worker's engine and micro-batcher, in the worker's environment
    naive CTranslate2   the same model, with batches in order of arrival, glibc's allocator as it comes
    OpenVINO GenAI      continuous batching, prefix caching                          ┐ with the extra `peers`
    llama.cpp           continuous batching, sequences that share their prefix       ┘

All read the same prompts: the query alone, as a model does that learnt its task (our style `adapted`), or the query
behind an instruction, as the stock model needs it (`zero_shot`; the naive one has 205 tokens that explain each label).

Prompt lookup decoding is left out: with random weights it guesses all tokens of an answer or none.

Each runs in a process of its own, in turn. Linux only. With ``--device cuda`` it is our engine alone, in batches of 1
to 256.
"""

import asyncio
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import ctranslate2
import msgspec
import orjson
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.feeding import Continuous, Measured, Request, Stopwatch, ask, feed
from benchmarks.full_size import GGUF, build, product_queries
from sluicegate.agents.deciding.micro_batcher import Batched, MicroBatcher
from sluicegate.agents.process.start_environment import START_ENVIRONMENT
from sluicegate.models.artifacts.manifest import PromptStyleName
from sluicegate.models.inference.device import Device, check_cuda
from sluicegate.models.inference.engine import Engine
from sluicegate.models.inference.judge import EncodedQuery, ModelResult
from sluicegate.models.inference.labels import Category
from sluicegate.models.inference.prompts import ALLOW_LETTER, prompt_style_for
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.schemas.errors import CompiledModelError
from sluicegate.schemas.events import Threshold

_ANSWER_TOKENS: Final = 12
_BATCH_SIZE: Final = 32
"""The default of SLUICE_BATCH_SIZE."""
_PEERS_AT_ONCE: Final = 64
_BLOCK_ALL: Final = dict.fromkeys(Category, Threshold(allow=0, block=0))
_BLOCK_NONE: Final = dict.fromkeys(Category, Threshold(allow=1, block=2))
_WORKS: Final = {"gate": 0, "three tokens": 2, "gate and rewrite": _ANSWER_TOKENS}
_LONG_INSTRUCTION: Final = 205  # tokens, as in a prompt that explains each label
PROMPTS: Final[dict[str, PromptStyleName]] = {"alone": "adapted", "instructed": "zero_shot"}

System = Callable[[Path, PromptStyleName, Sequence[str], int, int], Measured]
"""The folder that `build` made, how queries are asked, the queries, tokens of an answer, the window."""


def sluicegate(folder: Path, style: PromptStyleName, texts: Sequence[str], answer: int, window: int) -> Measured:
    """Decide as the worker does: with its prompts and its batches."""
    engine = Engine(
        folder / style, thresholds=_BLOCK_NONE if answer else _BLOCK_ALL, max_answer_tokens=answer, max_query_tokens=64
    )
    encoded = [engine.encode(text) for text in texts]
    for first in encoded[: engine.replicas]:
        engine.judge([first])  # the key-value state of the instructions is computed once and kept

    async def judge_all() -> list[float]:
        loop = asyncio.get_running_loop()
        async with MicroBatcher(
            engine.judge,
            length=lambda query: len(query.tokens),
            cost=msgspec.structs.replace(engine.cost, answer=answer),  # as `sluice calibrate` measures it
            batch_size=_BATCH_SIZE,
            capacity=window,
            replicas=engine.replicas,
        ) as batcher:

            async def judge(query: EncodedQuery) -> Batched[ModelResult]:
                return await batcher.submit(query, deadline=loop.time() + 3600)

            return await ask(judge, encoded, window)

    watch = Stopwatch()
    return watch.measured(asyncio.run(judge_all()))


def naive(folder: Path, style: PromptStyleName, texts: Sequence[str], answer: int, window: int) -> Measured:
    """See `benchmarks.peers.NaiveCTranslate2`."""
    from benchmarks.peers import NaiveCTranslate2

    static, requests = _requests(folder, style, texts, answer, instruction=_LONG_INSTRUCTION)
    return _fed(NaiveCTranslate2(folder / style, static, _PEERS_AT_ONCE), requests, window)


def openvino(folder: Path, style: PromptStyleName, texts: Sequence[str], answer: int, window: int) -> Measured:
    """See `benchmarks.peers.OpenVino`."""
    from benchmarks.peers import OpenVino

    return _fed(OpenVino(folder / GGUF), _requests(folder, style, texts, answer)[1], window)


def llama_cpp(folder: Path, style: PromptStyleName, texts: Sequence[str], answer: int, window: int) -> Measured:
    """See `benchmarks.peers.LlamaCpp`."""
    from benchmarks.peers import LlamaCpp

    static, requests = _requests(folder, style, texts, answer)
    peer = LlamaCpp(folder / GGUF, static, at_once=_PEERS_AT_ONCE, threads=len(os.sched_getaffinity(0)))
    return _fed(peer, requests, window)


def _requests(
    folder: Path, style: PromptStyleName, texts: Sequence[str], answer: int, *, instruction: int | None = None
) -> tuple[list[int], list[Request]]:
    """The ids that all prompts begin with, and the prompts; `instruction` is its length where it is not our own."""
    tokenizer = QueryTokenizer(folder / style)
    frame = prompt_style_for(style, tokenizer).gate
    static = list(map(tokenizer.id_of, (list(frame.static) * 9)[: instruction or len(frame.static)]))
    suffix = list(map(tokenizer.id_of, frame.suffix))
    return static, [Request([*static, *tokenizer.encode(text).ids, *suffix], 1 + answer) for text in texts]


def _fed(peer: Continuous, requests: Sequence[Request], window: int) -> Measured:
    feed(peer, requests[:1], 1)
    watch = Stopwatch()
    return watch.measured(feed(peer, requests, window))


SYSTEMS: Final[dict[str, tuple[System, dict[str, str], str | None]]] = {
    "sluicegate": (sluicegate, START_ENVIRONMENT, None),
    "naive CTranslate2": (naive, {}, None),
    "OpenVINO GenAI": (openvino, {}, "openvino_genai"),
    "llama.cpp": (llama_cpp, {}, "llama_cpp"),
}
"""By name: how to run it, in which environment, and the module that it needs."""


def _on_cuda(folder: Path, texts: Sequence[str]) -> Table:
    """Queries a second for each batch size, in the fastest of the types that this GPU supports."""
    table = Table("batch", *(f"{work}, {what}" for work in _WORKS for what in ("a second", "type")), title="on the GPU")
    best: dict[tuple[int, str], tuple[float, str]] = {}
    for kind in sorted(ctranslate2.get_supported_compute_types("cuda")):
        for work, answer in _WORKS.items():
            limits = _BLOCK_NONE if answer else _BLOCK_ALL
            engine = Engine(
                folder / "adapted", thresholds=limits, device="cuda", compute_type=kind, max_answer_tokens=answer
            )
            encoded = sorted((engine.encode(text) for text in texts), key=lambda query: len(query.tokens))
            for size in (1, 2, 4, 8, 16, 32, 64, 128, 256):
                engine.judge(encoded[:size])
                started = time.perf_counter()
                for first in range(0, len(encoded), size):
                    engine.judge(encoded[first : first + size])
                rate = len(encoded) / (time.perf_counter() - started)
                best[size, work] = max(best.get((size, work), (0.0, "")), (rate, kind))
    for size in sorted({size for size, _ in best}):
        cells = (best[size, work] for work in _WORKS)
        table.add_row(str(size), *(cell for rate, kind in cells for cell in (f"{rate:.0f}", kind)))
    return table


def main(
    count: Annotated[int, typer.Option(min=100, help="Queries of each run.")] = 640,
    repeat: Annotated[int, typer.Option(min=1, help="Runs of each engine, in turn; the table has the medians.")] = 3,
    window: Annotated[int, typer.Option(min=1, help="Queries that wait or are worked on at once.")] = 256,
    system: Annotated[list[str] | None, typer.Option(help="Only this engine. May be repeated.")] = None,
    prompt: Annotated[str, typer.Option(help="`alone` or `instructed`.")] = "alone",
    work: Annotated[list[str] | None, typer.Option(help="Only this work, as `gate`. May be repeated.")] = None,
    models: Annotated[Path | None, typer.Option(help="Folder that keeps the models for other runs. 3 GB.")] = None,
    device: Annotated[Device, typer.Option(help="Where our engine runs.")] = "cpu",
    one: Annotated[str | None, typer.Option(hidden=True)] = None,
    out: Annotated[Path | None, typer.Option("--json", help="Write all numbers here, as JSON.")] = None,
) -> None:
    """Make a random model of full size, and decide the same queries with every engine that is installed."""
    works = work or list(_WORKS)
    style = PROMPTS[prompt]
    if one and models:
        ran = SYSTEMS[one][0](models, style, product_queries(count), _WORKS[works[0]], window)
        sys.stdout.buffer.write(orjson.dumps(dataclasses.asdict(ran)))
        return
    if device == "cuda":
        try:
            check_cuda()
        except CompiledModelError as error:
            sys.exit(f"error: {error}")
    console = Console(stderr=True)
    installed = [name for name, (_, _, module) in SYSTEMS.items() if module is None or find_spec(module)]
    for name in SYSTEMS.keys() - installed:
        console.print(f"{name} is not installed: pip install --editable '.[peers]'", markup=False)
    names = [name for name in installed if not system or name in system]
    scratch = nullcontext(str(models)) if models else tempfile.TemporaryDirectory(prefix="sluicegate-")
    with scratch as folder:
        console.print("making and compiling a random checkpoint")
        for_peers = device == "cpu" and any(SYSTEMS[name][2] for name in names)
        compile_s = build(Path(folder), list(PROMPTS.values()), [ALLOW_LETTER], for_peers=for_peers)
        console.print(f"a model was compiled in {compile_s:.0f} s")
        if device == "cuda":
            Console().print(_on_cuda(Path(folder), product_queries(count)))
            return
        tokenizer = QueryTokenizer(Path(folder) / style)
        lengths = [len(tokenizer.encode(text).ids) for text in product_queries(count)]
        runs: dict[str, dict[str, list[Measured]]] = {name: {work: [] for work in works} for name in names}
        for turn in range(repeat):
            for each in works:
                for name in names:
                    console.print(f"{each}: {name}, run {turn + 1} of {repeat}")
                    options = ["--count", str(count), "--window", str(window), "--prompt", prompt, "--work", each]
                    runs[name][each].append(_in_a_process(name, Path(folder), options))
    console.print(
        f"{count} queries of {min(lengths)} to {max(lengths)} tokens, median {statistics.median(lengths):.0f}; "
        f"{window} at once, int8, {len(os.sched_getaffinity(0))} cores, medians of {repeat} runs"
    )
    Console().print(_table(runs, prompt))
    for line in _three_against_twelve(runs):
        Console().print(line, highlight=False)
    if out:
        out.write_bytes(orjson.dumps(runs, option=orjson.OPT_INDENT_2))


def _in_a_process(name: str, folder: Path, options: Sequence[str]) -> Measured:
    environment = {key: value for key, value in os.environ.items() if key not in START_ENVIRONMENT} | SYSTEMS[name][1]
    command = [sys.executable, "-m", "benchmarks.engine", "--one", name, "--models", str(folder), *options]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return msgspec.convert(orjson.loads(done.stdout.splitlines()[-1]), Measured)


def _table(runs: dict[str, dict[str, list[Measured]]], prompt: str) -> Table:
    columns = ("work", "a second", "ours is", "CPU ms each", "cores busy", "peak")
    table = Table("", *columns, title=f"the query {prompt}")
    first = next(iter(runs))
    for name, of_works in runs.items():
        for work, done in of_works.items():
            rate, ours = _rate(done), _rate(runs[first][work])
            cpu, cores = (statistics.median(getattr(run, each) for run in done) for each in ("cpu_ms", "cores"))
            peak = max(run.peak for run in done)
            speed = (f"{rate:.1f}", f"{ours / rate:.2f} x", f"{cpu:.1f}", f"{cores:.2f}")
            table.add_row(name, work, *speed, f"{peak / 1e9:.1f} GB")
    return table


def _three_against_twelve(runs: dict[str, dict[str, list[Measured]]]) -> list[str]:
    """What a model gains that was taught our style, compared with each of the others that writes words."""
    short, long = list(_WORKS)[1:]
    if not all({short, long} <= of_works.keys() for of_works in runs.values()) or "sluicegate" not in runs:
        return []
    ours = _rate(runs["sluicegate"][short])
    return [
        f"our three tokens are {ours / _rate(of_works[long]):.2f} times as fast as the rewrite of {name}"
        for name, of_works in runs.items()
    ]


def _rate(done: Sequence[Measured]) -> float:
    return statistics.median(run.rate for run in done)


if __name__ == "__main__":
    typer.run(main)
