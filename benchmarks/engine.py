"""A model of Qwen3-0.6B's shape in our engine and in others: ``python -m benchmarks.engine`` prints a table.

The weights are noise, so an answer means nothing and always has its full length. The work is that of real weights. All
engines get the same product queries: `gate` reads a query and writes one token, `gate and rewrite` writes twelve more.
The tokenizer is learnt from these texts, so that they have about as many tokens as with Qwen3's own.

    sluicegate          the worker's engine and micro-batcher, in the worker's environment
    naive CTranslate2   the same model, with batches in order of arrival, glibc's allocator as it comes
    OpenVINO GenAI      continuous batching, prefix caching   ┐ with the extra `peers`
    llama.cpp           batches that share their prefix       ┘

All read the same prompts: the query alone, as a model does that learnt its task (our profile `adapted`), then the query
behind an instruction, as the stock model needs it (`zero_shot`; the naive one has 205 tokens that explain each label).

Each runs in a process of its own. Linux only. With ``--device cuda`` it is our engine alone, in batches of 1 to 256.
"""

import asyncio
import inspect
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final

import ctranslate2
import numpy as np
import orjson
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from benchmarks.process_memory import memory_bytes
from sluicegate.agents.deciding.micro_batcher import MicroBatcher
from sluicegate.agents.process.allocator import ALLOCATOR_SETTINGS
from sluicegate.models.artifacts.manifest import PromptStyleName
from sluicegate.models.compiler.compile import compile_checkpoint
from sluicegate.models.data.products import product_query
from sluicegate.models.inference import prompts
from sluicegate.models.inference.device import Device
from sluicegate.models.inference.engine import Engine
from sluicegate.models.inference.judge import ModelResult
from sluicegate.models.inference.labels import Category
from sluicegate.models.inference.prompts import prompt_style_for
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.schemas.events import Threshold
from tests.support.checkpoints import QWEN3_0_6B, SPECIAL_TOKENS, write_checkpoint

_SEED: Final = 11
_ANSWER_TOKENS: Final = 12
_BATCH_SIZE: Final = 64  # the best of 32, 64 and 128 for our engine
_BLOCK_ALL: Final = dict.fromkeys(Category, Threshold(allow=0, block=0))
_BLOCK_NONE: Final = dict.fromkeys(Category, Threshold(allow=1, block=2))
_WORKS: Final = ("gate", "gate and rewrite")
_LONG_INSTRUCTION: Final = 205  # tokens, as in a prompt that explains each label
PROMPTS: Final[dict[str, PromptStyleName]] = {"the query alone": "adapted", "behind an instruction": "zero_shot"}
Runs = dict[str, list[dict[str, float]]]
"""Rate and peak memory of each run, by kind of work."""

System = Callable[[Path, PromptStyleName, Sequence[str], bool], float]
"""Seconds for all queries: the folder that `build` made, how they are asked, the queries, and whether to rewrite."""


def queries(count: int) -> list[str]:
    """Product queries, the same for every run."""
    rng = random.Random(_SEED)
    return [product_query(rng).text for _ in range(count)]


def natural_tokenizer() -> Tokenizer:
    """A tokenizer that reads each word of our queries and prompts as one or two tokens."""
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


def build(folder: Path, *, for_peers: bool) -> float:
    """Write a random checkpoint and compile it for each of `PROMPTS`; returns the seconds that compiling took."""
    tokenizer = natural_tokenizer()
    given = _weights_that_say(tokenizer, prompts.ALLOW_LETTER)
    checkpoint = write_checkpoint(folder / "checkpoint", QWEN3_0_6B, shards=2, tokenizer=tokenizer, given=given)
    if for_peers:
        from benchmarks.peers import write_gguf

        write_gguf(checkpoint, folder / "model.gguf")
    started = time.perf_counter()
    for profile in PROMPTS.values():
        compile_checkpoint(
            checkpoint,
            folder / profile,
            quantization="int8",
            prompt_style=profile,
        )
    return (time.perf_counter() - started) / len(PROMPTS)


def _weights_that_say(tokenizer: Tokenizer, token: str) -> dict[str, NDArray[np.float32]]:
    """Noise, except for one dimension, the only one that the last norm keeps: there `token` is above all others."""
    shape = (QWEN3_0_6B.vocab_size, QWEN3_0_6B.hidden_size)
    embeddings = np.random.default_rng(_SEED).standard_normal(shape, np.float32)
    embeddings[:, 0] = 50
    embeddings[tokenizer.token_to_id(token), 0] = 100
    last_norm = np.zeros(QWEN3_0_6B.hidden_size, np.float32)
    last_norm[0] = 1
    return {"model.embed_tokens.weight": embeddings, "model.norm.weight": last_norm}


def sluicegate(folder: Path, profile: PromptStyleName, texts: Sequence[str], rewrite: bool) -> float:
    """Decide as the worker does: with its prompts and its batches."""
    thresholds = _BLOCK_NONE if rewrite else _BLOCK_ALL
    engine = Engine(folder / profile, thresholds=thresholds, max_answer_tokens=_ANSWER_TOKENS * rewrite)
    encoded = [engine.encode(text) for text in texts]
    engine.judge(encoded[:1])  # the key-value state of the instructions is computed once and kept

    async def judge_all() -> list[ModelResult]:
        deadline = asyncio.get_running_loop().time() + 3600
        async with MicroBatcher(
            engine.judge,
            length=lambda query: len(query.tokens),
            cost=engine.cost,
            batch_size=_BATCH_SIZE,
            capacity=len(encoded),
        ) as batcher:
            answers = await asyncio.gather(*(batcher.submit(query, deadline=deadline) for query in encoded))
        return [answer.result for answer in answers]

    started = time.perf_counter()
    asyncio.run(judge_all())
    return time.perf_counter() - started


def naive(folder: Path, profile: PromptStyleName, texts: Sequence[str], rewrite: bool) -> float:
    """The obvious first attempt: the static prompt of CTranslate2's documentation, batches in order of arrival."""
    tokenizer = QueryTokenizer(folder / profile)
    frame = prompt_style_for(profile, tokenizer).gate
    generator: Any = ctranslate2.Generator(str(folder / profile), device="cpu")
    instruction = (list(frame.static) * 5)[:_LONG_INSTRUCTION]
    batch_prompts = [[*tokenizer.encode(text).tokens, *frame.suffix] for text in texts]

    def generate(batch: list[list[str]]) -> None:
        tokens = 1 + _ANSWER_TOKENS * rewrite
        generator.generate_batch(
            batch,
            static_prompt=instruction or None,
            include_prompt_in_result=False,
            sampling_topk=1,
            min_length=tokens,
            max_length=tokens,
        )

    generate(batch_prompts[:1])
    started = time.perf_counter()
    for first in range(0, len(batch_prompts), _BATCH_SIZE):
        generate(batch_prompts[first : first + _BATCH_SIZE])
    return time.perf_counter() - started


def openvino(folder: Path, profile: PromptStyleName, texts: Sequence[str], rewrite: bool) -> float:
    """See `benchmarks.peers`."""
    from benchmarks.peers import OpenVino

    return _timed_peer(OpenVino(folder / "model.gguf"), folder / profile, profile, texts, rewrite)


def llama_cpp(folder: Path, profile: PromptStyleName, texts: Sequence[str], rewrite: bool) -> float:
    """See `benchmarks.peers`."""
    from benchmarks.peers import LlamaCpp

    peer = LlamaCpp(folder / "model.gguf", batch_size=_BATCH_SIZE, threads=len(os.sched_getaffinity(0)))
    return _timed_peer(peer, folder / profile, profile, texts, rewrite)


def _timed_peer(peer: Any, folder: Path, profile: PromptStyleName, texts: Sequence[str], rewrite: bool) -> float:
    tokenizer = QueryTokenizer(folder)
    frame = prompt_style_for(profile, tokenizer).gate
    token_ids = [
        [tokenizer.id_of(token) for token in (*frame.static, *tokenizer.encode(text).tokens, *frame.suffix)]
        for text in texts
    ]
    tokens = 1 + _ANSWER_TOKENS * rewrite
    peer.generate(token_ids[:1], tokens)
    started = time.perf_counter()
    peer.generate(token_ids, tokens)
    return time.perf_counter() - started


SYSTEMS: Final[dict[str, tuple[System, dict[str, str], str | None]]] = {
    "sluicegate": (sluicegate, ALLOCATOR_SETTINGS, None),
    "naive CTranslate2": (naive, {}, None),
    "OpenVINO GenAI": (openvino, {}, "openvino_genai"),
    "llama.cpp": (llama_cpp, {}, "llama_cpp"),
}
"""By name: how to run it, in which environment, and the module that it needs."""


def _measure(name: str, folder: Path, prompt: str, count: int, work: str) -> dict[str, float]:
    """Run one system in a new process; returns its queries a second and its peak memory in bytes."""
    environment = {key: value for key, value in os.environ.items() if key not in ALLOCATOR_SETTINGS} | SYSTEMS[name][1]
    command = [sys.executable, "-m", "benchmarks.engine", "--one", name, "--prompt", prompt, "--work", work]
    options = ["--scratch", str(folder), "--count", str(count)]
    done = subprocess.run([*command, *options], env=environment, stdout=subprocess.PIPE, check=True)
    result: dict[str, float] = orjson.loads(done.stdout.splitlines()[-1])
    return result


def _on_cuda(folder: Path, texts: Sequence[str]) -> Table:
    """Queries a second for each batch size; `auto` is CTranslate2's fastest type for this GPU."""
    table = Table("batch", *_WORKS, title="queries a second on the GPU")
    engines = [
        Engine(folder / "adapted", thresholds=limits, device="cuda", compute_type="auto", max_answer_tokens=tokens)
        for limits, tokens in ((_BLOCK_ALL, 0), (_BLOCK_NONE, _ANSWER_TOKENS))
    ]
    encoded = sorted((engines[0].encode(text) for text in texts), key=lambda query: len(query.tokens))
    for size in (1, 2, 4, 8, 16, 32, 64, 128, 256):
        rates = []
        for engine in engines:
            engine.judge(encoded[:size])
            started = time.perf_counter()
            for first in range(0, len(encoded), size):
                engine.judge(encoded[first : first + size])
            rates.append(len(encoded) / (time.perf_counter() - started))
        table.add_row(str(size), *(f"{rate:.0f}" for rate in rates))
    return table


def main(
    count: Annotated[int, typer.Option(min=1, help="Queries judged in each run.")] = 160,
    repeat: Annotated[int, typer.Option(min=1, help="Runs of each engine, in turn; the table has the best.")] = 2,
    scratch: Annotated[Path | None, typer.Option(help="Folder with 3 GB of free space for the models.")] = None,
    device: Annotated[Device, typer.Option(help="Where our engine runs.")] = "cpu",
    one: Annotated[str | None, typer.Option(hidden=True)] = None,
    prompt: Annotated[str, typer.Option(hidden=True)] = "",
    work: Annotated[str, typer.Option(hidden=True)] = _WORKS[0],
    out: Annotated[Path | None, typer.Option("--json", help="Write all numbers here, as JSON.")] = None,
) -> None:
    """Make a random model of full size, and decide the same queries with every engine that is installed."""
    if one and scratch:
        seconds = SYSTEMS[one][0](scratch, PROMPTS[prompt], queries(count), work == _WORKS[1])
        print(json.dumps({"rate": count / seconds, "peak": memory_bytes("VmHWM")}))
        return
    console = Console(stderr=True)
    if device == "cuda":
        if not ctranslate2.get_cuda_device_count():
            sys.exit("--device cuda needs an NVIDIA GPU with CUDA 12, cuBLAS and cuDNN where CTranslate2 finds them")
        with tempfile.TemporaryDirectory(prefix="sluicegate-", dir=scratch) as folder:
            build(Path(folder), for_peers=False)
            Console().print(_on_cuda(Path(folder), queries(max(count, 512))))
        return
    installed = [name for name, (_, _, module) in SYSTEMS.items() if module is None or find_spec(module)]
    for name in SYSTEMS.keys() - installed:
        console.print(f"{name} is not installed: pip install --editable '.[peers]'", markup=False)
    with tempfile.TemporaryDirectory(prefix="sluicegate-", dir=scratch) as folder:
        console.print("making and compiling a random checkpoint")
        compile_s = build(Path(folder), for_peers=len(installed) > 2)
        tokenizer = QueryTokenizer(Path(folder) / "adapted")
        length = statistics.median(len(tokenizer.encode(text).tokens) for text in queries(count))
        runs: dict[str, dict[str, Runs]] = {
            asked: {name: {work: [] for work in _WORKS} for name in installed} for asked in PROMPTS
        }
        for asked in PROMPTS:
            for work_name in _WORKS:
                for turn in range(repeat):
                    for name in installed:
                        console.print(f"{asked}, {work_name}: {name}, run {turn + 1} of {repeat}")
                        run = _measure(name, Path(folder), asked, count, work_name)
                        runs[asked][name][work_name].append(run)
    console.print(f"{count} queries of {length:.0f} tokens (median), int8; a model was compiled in {compile_s:.0f} s")
    for asked, of_systems in runs.items():
        Console().print(_table(of_systems, asked))
    if out:
        out.write_bytes(orjson.dumps(runs, option=orjson.OPT_INDENT_2))


def _table(runs: dict[str, Runs], title: str) -> Table:
    best = {
        name: {work: max(run["rate"] for run in done) for work, done in works.items()} for name, works in runs.items()
    }
    ours = best["sluicegate"]
    table = Table("queries a second", *(column for work in _WORKS for column in (work, "ours is")), "peak", title=title)
    for name, works in runs.items():
        peak = max(run["peak"] for done in works.values() for run in done)
        cells = (
            cell for work in _WORKS for cell in (f"{best[name][work]:.1f}", f"{ours[work] / best[name][work]:.2f} x")
        )
        table.add_row(name, *cells, f"{peak / 1e9:.1f} GB")
    return table


if __name__ == "__main__":
    typer.run(main)
