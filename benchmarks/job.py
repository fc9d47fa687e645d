"""The same job by each system: a verdict, an intent and a rewrite for a mixed stream: ``python -m benchmarks.job``.

Of the queries 5 % are unsafe; of the others 80 % are plain and 20 % misspelt. Each system does the job as its
documentation would have it:

    Sluicegate, cascade     the embedded model; a model of Qwen3-0.6B's shape, style `adapted`, where it is unsure; also
                            with a strict screen, by whose thresholds it is unsure of more
    Sluicegate, adapted     that model for every query: three tokens for most answers
    Sluicegate, zero_shot   the stock model behind two short instructions: one letter; topic | query |
    naive CTranslate2       ┐ an instruction that explains labels and intents, and an answer in JSON; see
    OpenVINO GenAI          │ `benchmarks.peers`
    llama.cpp               ┘

The weights of the 0.6B shape are random, so **quality is not compared**: each system writes as many tokens as the true
answer would have in its format (`benchmarks.full_size`). Ours goes through the Python API: it normalises, judges each
reading of a query, applies the policy and checks the rewrite. The others only generate, and no grammar constrains their
JSON. Our 0.6B model allows every query, so no unsafe one ends early.

Each system runs in a process of its own: first as fast as it can, then at half of that rate with random arrivals.
"""

import asyncio
import dataclasses
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import msgspec
import orjson
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.feeding import Continuous, Measured, Request, Stopwatch, ask, feed
from benchmarks.full_size import GGUF, build
from sluicegate import AsyncGate, GateDecision
from sluicegate.agents.process.start_environment import START_ENVIRONMENT
from sluicegate.models.data import safe, unsafe
from sluicegate.models.data.corruption import corrupt
from sluicegate.models.data.products import product_query
from sluicegate.models.inference.labels import Category, Intent
from sluicegate.models.inference.prompts import ALLOW_LETTER, INTENT_LETTERS, KEEP
from sluicegate.models.inference.spelling_hints import SpellingHints
from sluicegate.models.inference.tokenizer import QueryTokenizer
from sluicegate.models.text.normalise import normalise
from sluicegate.models.text.readings import same_words
from sluicegate.schemas.events import Threshold

_UNSAFE: Final = 0.05
_MISSPELT: Final = 0.2
_BATCH_SIZE: Final = 64
_STRICT: Final = dict.fromkeys(Category, Threshold(allow=0.028, block=0.96))
"""With these thresholds the embedded model is unsure of about 12 % of the stream."""
_ANSWER: Final = (ALLOW_LETTER, KEEP, INTENT_LETTERS[Intent.PRODUCT_SEARCH])
_INSTRUCTION: Final = (
    "You moderate, classify and correct search queries before a search engine reads them. "
    f"Verdicts: allow, block. Categories of blocked queries: {', '.join(Category)}; null for the others. "
    f"Intents: {', '.join(Intent)}. Correct the spelling of the query, and change nothing else. "
    'Reply with one JSON object and nothing else, such as {"verdict": "allow", "category": null, '
    '"intent": "product_search", "query": "wireless headphones"}.'
)


@dataclass(frozen=True)
class Job:
    """A query as it is typed, and the true answer."""

    typed: str
    corrected: str
    intent: Intent
    category: Category | None

    @property
    def as_json(self) -> str:
        """The answer that the others are asked for."""
        verdict = "block" if self.category else "allow"
        answer = {"verdict": verdict, "category": self.category, "intent": self.intent, "query": self.corrected}
        return json.dumps(answer)

    @property
    def as_line(self) -> str:
        """The answer of the style `zero_shot`."""
        return f"{self.intent} | {self.corrected} |"


def jobs(count: int) -> list[Job]:
    """The stream, the same for every system; all queries differ, so nothing is answered from a cache."""
    rng = random.Random(12)
    found: dict[str, Job] = {}
    while len(found) < count:
        job = _job(rng)
        found[job.typed] = job
    return list(found.values())


def _job(rng: random.Random) -> Job:
    if rng.random() < _UNSAFE:
        category = rng.choice(list(Category))
        text = unsafe.unsafe(category, rng)
        return Job(text, text, Intent.OTHER, category)
    is_product = rng.random() < 0.8
    text = product_query(rng).text if is_product else safe.other(rng)
    typed = corrupt(text, rng) if rng.random() < _MISSPELT else text
    return Job(typed, text, Intent.PRODUCT_SEARCH if is_product else Intent.OTHER, None)


@dataclass(frozen=True)
class Result:
    """A system at full speed and at half of it."""

    full: Measured
    half: Measured
    asked_second: float | None = None
    """Share of the queries about which the second model was asked."""


def ours(folder: Path, stream: Sequence[Job], window: int) -> Result:
    """The model and the second model are those of the environment."""
    del folder
    texts = [job.typed for job in stream]

    async def decide_all() -> Result:
        async with AsyncGate() as gate:
            decided: list[GateDecision] = []

            async def decide(text: str) -> None:
                decided.append(await gate.decide(text))

            for warm in ("red shoes", "blue shoes"):
                await gate.decide(warm)
            watch = Stopwatch()
            full = watch.measured(await ask(decide, texts, window))
            asked = sum(decision.second is not None for decision in decided) / len(decided)
            watch = Stopwatch()
            half = watch.measured(await ask(decide, texts, window, _arrivals(len(texts), full.rate)))
            return Result(full, half, asked if os.environ.get("SLUICE_SECOND_MODEL") else None)

    return asyncio.run(decide_all())


def naive(folder: Path, stream: Sequence[Job], window: int) -> Result:
    """See `benchmarks.peers.NaiveCTranslate2`."""
    from benchmarks.peers import NaiveCTranslate2

    static, requests = _requests(folder, stream)
    return _fed(NaiveCTranslate2(folder / "zero_shot", static, _BATCH_SIZE), requests, window)


def openvino(folder: Path, stream: Sequence[Job], window: int) -> Result:
    """See `benchmarks.peers.OpenVino`."""
    from benchmarks.peers import OpenVino

    return _fed(OpenVino(folder / GGUF), _requests(folder, stream)[1], window)


def llama_cpp(folder: Path, stream: Sequence[Job], window: int) -> Result:
    """See `benchmarks.peers.LlamaCpp`."""
    from benchmarks.peers import LlamaCpp

    static, requests = _requests(folder, stream)
    peer = LlamaCpp(folder / GGUF, static, at_once=_BATCH_SIZE, threads=len(os.sched_getaffinity(0)))
    return _fed(peer, requests, window)


def _requests(folder: Path, stream: Sequence[Job]) -> tuple[list[int], list[Request]]:
    """The ids that all prompts begin with, and the prompts with the lengths of the true answers in JSON."""
    tokenizer = QueryTokenizer(folder / "zero_shot")

    def ids(template: str) -> list[int]:
        return list(map(tokenizer.id_of, tokenizer.encode_template(template)))

    static = ids(f"<|im_start|>system\n{_INSTRUCTION}<|im_end|>\n<|im_start|>user\n")
    suffix = ids("<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n")
    return static, [
        Request([*static, *tokenizer.encode(job.typed).ids, *suffix], 1 + len(tokenizer.encode(job.as_json).ids))
        for job in stream
    ]


def _fed(peer: Continuous, requests: Sequence[Request], window: int) -> Result:
    feed(peer, requests[:1], 1)
    watch = Stopwatch()
    full = watch.measured(feed(peer, requests, window))
    watch = Stopwatch()
    return Result(full, watch.measured(feed(peer, requests, window, _arrivals(len(requests), full.rate))))


def _arrivals(count: int, full_rate: float) -> list[float]:
    """Random times at half of `full_rate`."""
    rng, now, times = random.Random(4), 0.0, []
    for _ in range(count):
        now += rng.expovariate(full_rate / 2)
        times.append(now)
    return times


@dataclass(frozen=True)
class System:
    """How to run it, in which environment, and the module that it needs."""

    run: Callable[[Path, Sequence[Job], int], Result]
    environment: Callable[[Path], Mapping[str, str]] = lambda folder: {}
    module: str | None = None


def _our_environment(**settings: str) -> dict[str, str]:
    return START_ENVIRONMENT | {"SLUICE_CACHE_SIZE": "0"} | settings


def _cascade(folder: Path, **settings: str) -> dict[str, str]:
    return _our_environment(
        SLUICE_SECOND_MODEL=str(folder / "adapted"),
        SLUICE_SECOND_QUEUE_SIZE="256",
        SLUICE_SECOND_DEADLINE_MS="20000",
        **settings,
    )


SYSTEMS: Final = {
    "Sluicegate, cascade": System(ours, _cascade),
    "Sluicegate, cascade, strict screen": System(
        ours, lambda folder: _cascade(folder, SLUICE_THRESHOLDS=msgspec.json.encode(_STRICT).decode())
    ),
    "Sluicegate, adapted": System(ours, lambda folder: _our_environment(SLUICE_MODEL=str(folder / "adapted"))),
    "Sluicegate, zero_shot": System(
        ours,
        lambda folder: _our_environment(
            SLUICE_MODEL=str(folder / "zero_shot"), SLUICE_MAX_ANSWER_TOKENS=str(_line_tokens(folder))
        ),
    ),
    "naive CTranslate2": System(naive),
    "OpenVINO GenAI": System(openvino, module="openvino_genai"),
    "llama.cpp": System(llama_cpp, module="llama_cpp"),
}


def _line_tokens(folder: Path) -> int:
    """Tokens of the median answer of the style `zero_shot`, with its end."""
    tokenizer = QueryTokenizer(folder / "zero_shot")
    return 1 + round(statistics.median(len(tokenizer.encode(job.as_line).ids) for job in jobs(500)))


def _adapted_tokens(folder: Path, stream: Sequence[Job]) -> float:
    """Tokens of the true answer in the style `adapted`, on average, with the hints that the speller gives."""
    tokenizer, hints = QueryTokenizer(folder / "adapted"), SpellingHints.load(folder / "adapted")

    def tokens(job: Job) -> int:
        if job.category:
            return 1
        typed = normalise(job.typed).text
        if same_words(typed, job.corrected) or same_words(hints.of(typed) or typed, job.corrected):
            return len(_ANSWER)
        return 2 + len(tokenizer.encode(job.corrected.lower()).ids)

    return statistics.mean(map(tokens, stream))


def main(
    count: Annotated[int, typer.Option(min=100, help="Queries of each run.")] = 400,
    window: Annotated[int, typer.Option(min=1, help="Queries that wait or are worked on at once.")] = 128,
    system: Annotated[list[str] | None, typer.Option(help="Only this system. May be repeated.")] = None,
    models: Annotated[Path | None, typer.Option(help="Folder that keeps the models for other runs. 3 GB.")] = None,
    price_per_core_hour: Annotated[float, typer.Option(min=0, help="What a core costs for an hour.")] = 0.04,
    one: Annotated[str | None, typer.Option(hidden=True)] = None,
    out: Annotated[Path | None, typer.Option("--json", help="Write all numbers here, as JSON.")] = None,
) -> None:
    """Make random models of full size, and let every system that is installed do the same job."""
    if one and models:
        sys.stdout.buffer.write(orjson.dumps(dataclasses.asdict(SYSTEMS[one].run(models, jobs(count), window))))
        return
    console = Console(stderr=True)
    names = [name for name in SYSTEMS if not system or name in system]
    for name in [name for name in names if (module := SYSTEMS[name].module) and not find_spec(module)]:
        console.print(f"{name} is not installed: pip install --editable '.[peers]'", markup=False)
        names.remove(name)
    with nullcontext(str(models)) if models else tempfile.TemporaryDirectory(prefix="sluicegate-") as scratch:
        folder = Path(scratch)
        console.print("making and compiling a random checkpoint")
        build(folder, ["adapted", "zero_shot"], _ANSWER, for_peers=any(SYSTEMS[name].module for name in names))
        mean = _adapted_tokens(folder, jobs(count))
        console.print(f"the true answers have {mean:.2f} tokens on average in the style adapted; ours writes 3 to each")
        results: dict[str, Result] = {}
        for name in names:
            console.print(name)
            results[name] = _in_a_process(name, folder, count, window)
    cores = len(os.sched_getaffinity(0))
    table = Table(
        *("", "a second", "CPU ms each", "cores busy", "half load: p50 ms", "p99 ms", "peak", "a million cost"),
        title=f"{count} queries, {window} at once, {cores} cores at {price_per_core_hour:g} an hour",
    )
    for name, result in results.items():
        full, half = result.full, result.half
        asked = "" if result.asked_second is None else f" (second model: {result.asked_second:.0%})"
        price = 1e6 / full.rate / 3600 * cores * price_per_core_hour
        speed = (f"{full.rate:.1f}", f"{full.cpu_ms:.1f}", f"{full.cores:.2f}")
        times = (f"{half.p50_ms:.0f}", f"{half.p99_ms:.0f}")
        table.add_row(name + asked, *speed, *times, f"{full.peak / 1e9:.1f} GB", f"{price:.2f}")
    Console().print(table)
    if out:
        out.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))


def _in_a_process(name: str, folder: Path, count: int, window: int) -> Result:
    ours_alone = {key: value for key, value in os.environ.items() if key not in START_ENVIRONMENT}
    environment = ours_alone | dict(SYSTEMS[name].environment(folder))
    command = [sys.executable, "-m", "benchmarks.job", "--one", name, "--models", str(folder)]
    options = ["--count", str(count), "--window", str(window)]
    done = subprocess.run([*command, *options], env=environment, stdout=subprocess.PIPE, check=True)
    return msgspec.convert(orjson.loads(done.stdout.splitlines()[-1]), Result)


if __name__ == "__main__":
    typer.run(main)
