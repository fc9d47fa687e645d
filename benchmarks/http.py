"""What HTTP adds to the engine: ``python -m benchmarks.http`` prints two tables, and a third with `--chat`.

Processes take turns on the same kind of queries, over kept connections of this machine: the decider alone (engine,
micro-batcher and policy, in a process that has no HTTP), `sluice serve`, and, where the extra `peers` is installed, the
same engine behind mosec. No query is repeated, and nothing is cached. The queries are spelt correctly, so that each has
one reading and all do the same work.

    saturation      many queries at once: queries a second, and milliseconds of CPU for each query in the processes that
                    decide. The client has a share of the same cores: its CPU time is in the table.
    one at a time   milliseconds of each query, as the caller sees them. On a busy machine the tenth percentile has
                    those that nothing else has interrupted
    beside a chat   the same through `sluice serve`, without and with a chat that is being written

`--full-size` measures a model of Qwen3-0.6B's shape with random weights; an answer has 12 tokens. The machine may be
busy with something else: compare medians of ways that took turns, and the CPU time, which waiting does not change.
"""

import asyncio
import random
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import httpx
import orjson
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.full_size import build
from benchmarks.http_client import request_of, send_all
from benchmarks.http_servers import AloneDecider, Server, alone_decider, mosec_server, sluice_serve
from sluicegate.agents.settings import EMBEDDED_MODEL
from sluicegate.models.data.products import product_query
from sluicegate.models.inference.prompts import ALLOW_LETTER

_AT_ONCE: Final = 64
_BATCH: Final = 32
_SETTINGS: Final = {"SLUICE_CACHE_SIZE": "0", "SLUICE_DEADLINE_MS": "45000", "SLUICE_PUBLISH_TIMEOUT_MS": "3000"}
_ALONE: Final = "decider alone"
_SINGLE: Final = "POST /v1/gate"


class Sample(NamedTuple):
    """One turn: queries a second, milliseconds of CPU for each query where it is decided, and in the client."""

    rate: float
    cpu_ms: float
    client_cpu_ms: float


def main(
    model: Annotated[Path, typer.Option(help="Folder of a compiled model.")] = EMBEDDED_MODEL,
    full_size: Annotated[bool, typer.Option("--full-size", help="A random model of Qwen3-0.6B's shape.")] = False,
    queries: Annotated[int, typer.Option(min=32, help="Queries of each turn at saturation.")] = 2000,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each way.")] = 7,
    singles: Annotated[int, typer.Option(min=10, help="Queries one at a time, of each way.")] = 500,
    workers: Annotated[int, typer.Option(min=1, help="Processes of mosec that judge.")] = 1,
    chat: Annotated[
        bool, typer.Option("--chat", help="Measure one at a time beside a chat. Needs a chat model.")
    ] = False,
) -> None:
    """Compare `sluice serve` with the decider alone and with mosec."""
    console, rng = Console(), random.Random(7)
    with ExitStack() as stack:
        settings = {**_SETTINGS, "SLUICE_MODEL": str(model)}
        if full_size:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluicegate-")))
            build(folder, ["adapted"], [ALLOW_LETTER], for_peers=False)
            settings |= {"SLUICE_MODEL": str(folder / "adapted"), "SLUICE_MAX_ANSWER_TOKENS": "12"}
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        ours = stack.enter_context(sluice_serve(settings))
        if chat:
            console.print(_beside_a_chat(runner, ours, rng, singles))
            return
        alone = stack.enter_context(alone_decider(settings))
        peer = stack.enter_context(mosec_server(settings, workers)) if find_spec("mosec") else None
        ways = _ways(runner, alone, ours, peer)
        samples: dict[str, list[Sample]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            for name in rng.sample(sorted(ways), len(ways)):
                sample = ways[name](_texts(rng, queries))
                if number:  # the first round warms up
                    samples[name].append(sample)
        console.print(_saturation(samples))
        console.print(_one_at_a_time(_latencies(runner, alone, ours, peer, rng, singles)))


def _texts(rng: random.Random, count: int) -> list[str]:
    return [f"{product_query(rng).text} {rng.randrange(10**6)}" for _ in range(count)]


def _singles(path: str, texts: Sequence[str]) -> list[bytes]:
    return [request_of(path, {"text": text}) for text in texts]


def _ways(
    runner: asyncio.Runner, alone: AloneDecider, ours: Server, peer: Server | None
) -> Mapping[str, Callable[[Sequence[str]], Sample]]:
    def over_http(server: Server, requests: Sequence[bytes], texts: int, at_once: int) -> Sample:
        began_cpu = server.cpu_s()
        load = runner.run(send_all(server.port, requests, at_once))
        if load.failed:
            raise typer.BadParameter(f"{load.failed} requests were not answered with 200")
        spent = server.cpu_s() - began_cpu
        return Sample(texts / load.wall_s, 1000 * spent / texts, 1000 * load.cpu_s / texts)

    def decide_alone(texts: Sequence[str]) -> Sample:
        wall_s, cpu_s = alone.decide_all(texts, _AT_ONCE)
        return Sample(len(texts) / wall_s, 1000 * cpu_s / len(texts), 0.0)

    def in_batches(texts: Sequence[str]) -> Sample:
        batches = [texts[first : first + _BATCH] for first in range(0, len(texts), _BATCH)]
        requests = [request_of("/v1/gate/batch", {"texts": batch}) for batch in batches]
        return over_http(ours, requests, len(texts), _AT_ONCE // _BATCH)

    ways: dict[str, Callable[[Sequence[str]], Sample]] = {
        _ALONE: decide_alone,
        _SINGLE: lambda texts: over_http(ours, _singles("/v1/gate", texts), len(texts), _AT_ONCE),
        f"POST /v1/gate/batch, {_BATCH} texts": in_batches,
    }
    if peer:
        ways["mosec"] = lambda texts: over_http(peer, _singles("/inference", texts), len(texts), _AT_ONCE)
    return ways


def _latencies(
    runner: asyncio.Runner, alone: AloneDecider, ours: Server, peer: Server | None, rng: random.Random, count: int
) -> Mapping[str, list[float]]:
    """Milliseconds of each query, in turns of 10."""

    def over_http(server: Server, path: str) -> list[float]:
        load = runner.run(send_all(server.port, _singles(path, _texts(rng, 10)), 1))
        return [1000 * seconds for seconds in load.latencies_s]

    measured: dict[str, list[float]] = {_ALONE: [], _SINGLE: [], **({"mosec": []} if peer else {})}
    for _ in range(count // 10):
        measured[_ALONE] += alone.decide_singly(_texts(rng, 10))
        measured[_SINGLE] += over_http(ours, "/v1/gate")
        if peer:
            measured["mosec"] += over_http(peer, "/inference")
    return measured


def _beside_a_chat(runner: asyncio.Runner, server: Server, rng: random.Random, count: int) -> Table:
    measured: dict[str, list[float]] = {"no chat": [], "one chat": []}
    pieces = 0
    for turn in range(count // 10 + 1):
        for name in measured:
            requests = _singles("/v1/gate", _texts(rng, 10))
            with _chatting(server) if name == "one chat" else ExitStack() as said:
                load = runner.run(send_all(server.port, requests, 1))
                pieces += len(said) if isinstance(said, list) else 0
            if turn:  # the first one loads the chat model
                measured[name] += [1000 * seconds for seconds in load.latencies_s]
    table = _one_at_a_time(measured, base="no chat", title="POST /v1/gate, one at a time")
    table.caption = f"the chats wrote {pieces} pieces meanwhile"
    return table


@contextmanager
def _chatting(server: Server) -> Iterator[list[str]]:
    """A chat that is being written while the block runs; gives its pieces."""
    asked = {"model": "", "messages": [{"role": "user", "content": "Tell me of shoes."}], "stream": True}
    address = f"http://127.0.0.1:{server.port}/v1"
    asked["model"] = httpx.get(f"{address}/models").json()["data"][0]["id"]
    pieces: list[str] = []
    begun, enough = threading.Event(), threading.Event()

    def chat() -> None:
        while not enough.is_set():
            with httpx.stream("POST", f"{address}/chat/completions", json=asked, timeout=120) as answer:
                for line in answer.iter_lines():
                    if line.startswith("data: {"):
                        pieces.append(orjson.loads(line[6:])["choices"][0]["delta"].get("content", ""))
                        begun.set()
                    if enough.is_set():
                        return

    thread = threading.Thread(target=chat, name="chat")
    thread.start()
    begun.wait(120)
    try:
        yield pieces
    finally:
        enough.set()
        thread.join()


def _saturation(samples: Mapping[str, list[Sample]]) -> Table:
    table = Table(
        "way", "queries a second", "of the decider's", "CPU ms a query", "client's CPU ms a query", title="saturation"
    )
    base = [sample.rate for sample in samples[_ALONE]]
    for name, taken in samples.items():
        rate, cpu_ms, client_ms = (statistics.median(values) for values in zip(*taken, strict=True))
        ratio = statistics.median(sample.rate / other for sample, other in zip(taken, base, strict=True))
        table.add_row(name, f"{rate:.1f}", f"{ratio:.0%}", f"{cpu_ms:.2f}", f"{client_ms:.2f}")
    return table


def _one_at_a_time(measured: Mapping[str, list[float]], base: str = _ALONE, title: str = "one at a time") -> Table:
    table = Table("way", "p10 ms", "p50 ms", "p95 ms", "p99 ms", "added at p10", "added at p50", title=title)
    cuts = {name: statistics.quantiles(latencies, n=100) for name, latencies in measured.items()}
    for name, of_way in cuts.items():
        added = (f"{of_way[place] - cuts[base][place]:.2f}" for place in (9, 49))
        table.add_row(name, *(f"{of_way[place]:.2f}" for place in (9, 49, 94, 98)), *added)
    return table


if __name__ == "__main__":
    typer.run(main)
