"""The worker under load, from Kafka to Kafka: ``python -m benchmarks.load --help``.

Every command starts a broker and a worker of its own on this machine, beside the producer and the consumer that measure
it. The broker is Apache Kafka where java and Maven are there (see tests/support/kafka_cluster.py), else the
embedded one, whose clients never rest: it answers at once that there is nothing to read, and they ask again. Latency is
from the call that produces a raw record to the arrival of its ledger record, which the worker writes last.
"""

import itertools
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from confluent_kafka import Consumer, Producer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.process_memory import memory_bytes
from sluicegate.agents.deciding.decider import load_engine
from sluicegate.agents.kafka.admin import create_topics, topic_configs
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.record_log import RecordLog
from sluicegate.agents.local.child_process import start_worker, stop_child
from sluicegate.agents.local.embedded_broker import EmbeddedBroker
from sluicegate.agents.local.otlp_receiver import OtlpReceiver
from sluicegate.agents.process.allocator import ensure
from sluicegate.agents.settings import Settings, load_settings
from sluicegate.models.data import safe, unsafe
from sluicegate.models.data.corruption import corrupt
from sluicegate.models.data.products import product_query
from sluicegate.models.inference.labels import Category
from sluicegate.models.text.normalise import normalise
from tests.support.kafka_cluster import ApacheKafka, available

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)

Out = Annotated[Path | None, typer.Option("--json", help="Write all numbers here, as JSON.")]

_PARTITIONS: Final = 4
_HTTP_PORT: Final = 16_066
_TIMEOUT_S: Final = 300.0
_NO_CACHE: Final = {"SLUICE_CACHE_SIZE": "0"}


def mixed_queries(count: int) -> list[str]:
    """Misspelt product queries, questions, requests for help and unsafe requests, a quarter each; all different."""
    rng = random.Random(1)
    kinds = (
        lambda: corrupt(product_query(rng).text, rng),
        lambda: safe.other(rng),
        lambda: safe.support(rng),
        lambda: unsafe.unsafe(rng.choice(list(Category)), rng),
    )
    found: dict[str, None] = {}
    while len(found) < count:
        found[rng.choice(kinds)()] = None
    return list(found)


def zipf_queries(count: int, distinct: int = 20_000) -> list[str]:
    """Queries as people ask them: the n-th most popular is asked 1/n as often as the first."""
    weights = [1 / rank for rank in range(1, distinct + 1)]
    return random.Random(2).choices(mixed_queries(distinct), weights, k=count)


@dataclass(frozen=True)
class Seen:
    """A ledger record: when it arrived (`time.perf_counter`), and when it was written (seconds since the epoch)."""

    at: float
    written: float
    record: dict[str, Any]


class Bench:
    """A broker, a worker, a producer and a reader of the ledger, which reads all the time or when all is written."""

    def __init__(self, settings: Settings, worker_pid: int, log: RecordLog, *, live: bool) -> None:
        self.settings = settings
        self._log = log
        self._live = live
        self.worker_pid = worker_pid
        self.sent: dict[str, float] = {}
        self.seen: dict[str, Seen] = {}
        self._producer = Producer({"bootstrap.servers": settings.bootstrap_servers, "linger.ms": 0, "log_level": 0})
        self._sent_ever = 0
        self._ended = False
        self._reader = threading.Thread(target=self._read_ledger, args=[lambda: self._ended], daemon=True)
        if live:
            self._reader.start()

    def send(self, query: str) -> None:
        """Publish one raw query now."""
        event_id = f"event-{self._sent_ever}"
        self._sent_ever += 1
        self.sent[event_id] = time.perf_counter()
        self._producer.produce(self.settings.topic_raw, orjson.dumps({"query": query, "event_id": event_id}))
        self._producer.poll(0)

    def send_at(self, queries: Sequence[str], rate: float) -> None:
        """Publish at random moments, `rate` a second, never waiting for an answer."""
        rng, due = random.Random(4), time.perf_counter()
        for query in queries:
            due += rng.expovariate(rate)
            while (wait := due - time.perf_counter()) > 0:
                self._producer.poll(0)
                time.sleep(min(wait, 0.005))
            self.send(query)

    def wait(self, what: str) -> None:
        """Until every event that was sent is in the ledger."""
        self._producer.flush(_TIMEOUT_S)
        give_up = time.monotonic() + _TIMEOUT_S
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(what, total=len(self.sent))
            while (done := len(self.seen) if self._live else self._written()) < len(self.sent):
                if time.monotonic() > give_up:
                    sys.exit(f"only {done} of {len(self.sent)} events were decided in {_TIMEOUT_S:g} s")
                time.sleep(0.02 if self._live else 0.25)
                progress.update(task, completed=done)
        if not self._live:
            self._read_ledger(lambda: len(self.seen) == len(self.sent))

    def rate(self) -> float:
        """Events a second from the end of the first tenth to the last: the start is not the worker's pace."""
        written = sorted(seen.written for seen in self.seen.values())
        first = len(written) // 10
        return (len(written) - first) / (written[-1] - written[first])

    def decided_without_the_model(self) -> int:
        """Events that were degraded."""
        return sum((seen.record.get("decision") or {}).get("degraded", False) for seen in self.seen.values())

    def latencies_ms(self) -> list[float]:
        """Of every event that was sent."""
        return [1000 * (self.seen[event_id].at - sent) for event_id, sent in self.sent.items()]

    def forget(self) -> None:
        """Begin a new measurement."""
        self.sent.clear()
        self.seen.clear()

    def close(self) -> None:
        """Stop reading."""
        self._ended = True
        if self._live:
            self._reader.join()

    def _written(self) -> int:
        """Ledger records of this measurement; asks for their number, which costs less than to read them."""
        ever = sum(span.stop for span in self._log.spans(self.settings.topic_ledger, None))
        return ever - (self._sent_ever - len(self.sent))

    def _read_ledger(self, enough: Callable[[], bool]) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self.settings.bootstrap_servers,
                "group.id": "benchmark",
                "log_level": 0,
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe([self.settings.topic_ledger])
        while not enough():
            message = consumer.poll(0.05)  # `consume` would wait for more, and tell a later time
            at = time.perf_counter()
            if message is not None and message.error() is None:
                record = orjson.loads(message.value() or b"")
                self.seen[record["event_id"]] = Seen(at, message.timestamp()[1] / 1000, record)
        consumer.close()


def _broker() -> ApacheKafka | EmbeddedBroker:
    return EmbeddedBroker() if available() else ApacheKafka()


@contextmanager
def running(module: Sequence[str], environment: Mapping[str, str], *, live: bool = True) -> Iterator[Bench]:
    """A worker, ``python -m`` `module`, that has decided its first events.

    A ledger that is not read `live` takes nothing of this machine from the worker, and tells no latency.
    """
    with _broker() as broker, tempfile.TemporaryDirectory() as folder:
        settings = load_settings(bootstrap_servers=broker.bootstrap_servers)
        create_topics(Connection.of(settings), topic_configs(settings.topics), _PARTITIONS, 1)
        given = {
            "SLUICE_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "SLUICE_HTTP_PORT": str(_HTTP_PORT),
            **environment,
        }
        with RecordLog(Connection.plaintext(broker.bootstrap_servers)) as log:
            worker = start_worker(given, Path(folder) / "worker.log", module)
            bench = Bench(settings, worker.pid, log, live=live)
            try:
                for query in mixed_queries(200):
                    bench.send(f"{query} first")
                bench.wait("starting")
                bench.forget()
                yield bench
            finally:
                bench.close()
                stop_child(worker, 30)


WORKER: Final = ("sluicegate", "worker")
NULL_WORKER: Final = ("benchmarks.null_worker",)


def _saturate(module: Sequence[str], environment: Mapping[str, str], queries: Sequence[str]) -> float:
    with running(module, environment, live=False) as bench:
        for query in queries:
            bench.send(query)
        bench.wait("saturated")
        if late := bench.decided_without_the_model():
            sys.exit(f"{late} events were too late for the model: set SLUICE_DEADLINE_MS higher or SLUICE_WINDOW lower")
        return bench.rate()


def _offline_rate(count: int) -> float:
    command = [sys.executable, "-m", "benchmarks.load", "offline", "--count", str(count)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


@app.command()
def offline(count: Annotated[int, typer.Option(min=100, help="Queries.")] = 2000) -> None:
    """Queries a second of the engine alone, in full batches of neighbouring lengths, in the worker's environment."""
    ensure()
    queries, settings = mixed_queries(count), load_settings()
    engine = load_engine(settings)
    encoded = [engine.encode(normalise(query).text) for query in queries]
    rate = 0.0
    for _ in range(2):
        began = time.perf_counter()
        for start in range(0, len(encoded), settings.window):
            window = sorted(encoded[start : start + settings.window], key=lambda query: len(query.tokens))
            for first in range(0, len(window), settings.batch_size):
                engine.judge(window[first : first + settings.batch_size])
        rate = max(rate, len(encoded) / (time.perf_counter() - began))
    typer.echo(rate)


@app.command()
def saturation(
    count: Annotated[int, typer.Option(min=100, help="Events of each run.")] = 10_000, json: Out = None
) -> None:
    """As many events a second as it takes: without a model, with one, and with queries that repeat."""
    queries, popular = mixed_queries(count), zipf_queries(count)
    with OtlpReceiver() as receiver:
        sampled = {"SLUICE_OTLP_ENDPOINT": receiver.endpoint, "SLUICE_TRACE_SAMPLE_RATIO": "0.1"}
        rates = {
            "no model, ledger on, 10 % of traces sampled": _saturate(NULL_WORKER, _NO_CACHE | sampled, queries),
            "the model": _saturate(WORKER, _NO_CACHE, queries),
            "the model, Zipf queries, no cache": _saturate(WORKER, _NO_CACHE, popular),
            "the model, Zipf queries, cache": _saturate(WORKER, {}, popular),
            "the engine alone, no Kafka": _offline_rate(min(count, 2000)),
        }
    table = Table("", "events a second", title=f"{count} events, {_PARTITIONS} partitions, one worker")
    for name, rate in rates.items():
        table.add_row(name, f"{rate:.0f}")
    Console().print(table)
    _write(json, rates)


@app.command()
def overhead(
    count: Annotated[int, typer.Option(min=1000, help="Events of each run.")] = 20_000, json: Out = None
) -> None:
    """The pipeline without a model beside programs that only pass events on."""
    queries = mixed_queries(count)
    rates = {
        "a loop around confluent-kafka": _saturate(("benchmarks.bare", "confluent"), {}, queries),
        "an agent of Faust": _saturate(("benchmarks.bare", "faust"), {}, queries),
        "the pipeline, no model": _saturate(NULL_WORKER, _NO_CACHE, queries),
    }
    table = Table("", "events a second", "to the pipeline", title=f"{count} events, {_PARTITIONS} partitions")
    for name, rate in rates.items():
        table.add_row(name, f"{rate:.0f}", f"{rate / rates['the pipeline, no model']:.2f} x")
    Console().print(table)
    _write(json, rates)


@app.command()
def latency(
    rates: Annotated[str, typer.Option(help="Events a second, separated by commas.")] = "10,50,100,150,200,250,300",
    seconds: Annotated[float, typer.Option(min=1, help="Length of each.")] = 20,
    plot: Annotated[Path | None, typer.Option(help="Draw latency against load here, as SVG.")] = None,
    json: Out = None,
) -> None:
    """Latency at fixed rates, arrivals at random; and what the pipeline adds to the model's own time."""
    rows: list[dict[str, float]] = []
    with running(WORKER, _NO_CACHE) as bench:
        for rate in map(float, rates.split(",")):
            bench.forget()
            bench.send_at(mixed_queries(max(100, round(rate * seconds))), rate)
            bench.wait(f"{rate:g} a second")
            cuts = statistics.quantiles(bench.latencies_ms(), n=100)
            parts = [seen.record["latency_ms"] for seen in bench.seen.values()]
            added = [part["total"] - (part["model"] or 0) - part["publish"] for part in parts]
            rows.append(
                {"rate": rate, "p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "added": statistics.median(added)}
            )
    table = Table("events a second", "p50 ms", "p95 ms", "p99 ms", "of it added, p50 ms", title="Kafka to Kafka")
    for row in rows:
        table.add_row(f"{row['rate']:g}", *(f"{row[name]:.1f}" for name in ("p50", "p95", "p99", "added")))
    Console().print(table)
    Console().print("added: all but the model's call and the broker's acknowledgement", highlight=False)
    _write(json, rows)
    if plot:
        plot.write_text(_drawn(rows))


@app.command()
def overload(
    rate: Annotated[float, typer.Option(help="Events a second; more than the model can take.")] = 700,
    seconds: Annotated[float, typer.Option(min=1, help="For how long.")] = 20,
    shed_after_ms: Annotated[int, typer.Option(help="SLUICE_SHED_AFTER_MS.")] = 500,
    json: Out = None,
) -> None:
    """More events than the model can take: what is shed, and how long the others waited."""
    with running(WORKER, {**_NO_CACHE, "SLUICE_SHED_AFTER_MS": str(shed_after_ms)}) as bench:
        bench.send_at(mixed_queries(round(rate * seconds)), rate)
        bench.wait("overloaded")
        waited = dict(zip(bench.sent, bench.latencies_ms(), strict=True))
        served = [waited[event_id] for event_id, seen in bench.seen.items() if not seen.record["decision"]["degraded"]]
    cuts = statistics.quantiles(served, n=100)
    numbers = {
        "offered": rate,
        "shed": 1 - len(served) / len(waited),
        "p50": cuts[49],
        "p99": cuts[98],
        "all_p99": statistics.quantiles(waited.values(), n=100)[98],
    }
    table = Table("events a second", "shed", "served: p50 ms", "p99 ms", "all: p99 ms")
    table.add_row(
        f"{rate:g}",
        f"{numbers['shed']:.1%}",
        *(f"{numbers[name]:.0f}" for name in ("p50", "p99", "all_p99")),
    )
    Console().print(table)
    _write(json, numbers)


@app.command()
def memory(
    rate: Annotated[float, typer.Option(help="Events a second.")] = 400,
    minutes: Annotated[float, typer.Option(help="For how long.")] = 30,
    json: Out = None,
) -> None:
    """The worker's memory over a long run, after five minutes and at the end."""
    readings: list[tuple[float, int]] = []
    texts = itertools.cycle(mixed_queries(50_000))  # more than the cache holds
    with running(WORKER, {}) as bench:
        began = time.monotonic()
        while (now := time.monotonic() - began) < minutes * 60:
            bench.send_at(list(itertools.islice(texts, round(rate * 10))), rate)
            bench.wait(f"{now / 60:.0f} minutes")
            bench.forget()
            readings.append((now, memory_bytes("VmRSS", bench.worker_pid)))
    warm = next((size for at, size in readings if at >= min(300, minutes * 30)), readings[-1][1])
    table = Table("minutes", "events a second", "warm MB", "at the end MB", "growth")
    last = readings[-1][1]
    table.add_row(f"{minutes:g}", f"{rate:g}", f"{warm / 1e6:.0f}", f"{last / 1e6:.0f}", f"{last / warm - 1:.1%}")
    Console().print(table)
    _write(json, readings)


def _write(path: Path | None, numbers: object) -> None:
    if path:
        machine = {"cores": len(os.sched_getaffinity(0)), "numbers": numbers}
        path.write_bytes(orjson.dumps(machine, option=orjson.OPT_INDENT_2))


_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 300, 56, 40
_COLOURS: Final = {"p50": "#2a6f97", "p95": "#c77d1e", "p99": "#b23a48"}


def _drawn(rows: Sequence[Mapping[str, float]]) -> str:
    """A line for each percentile, milliseconds over events a second."""
    widest = max(row["rate"] for row in rows)
    highest = max(row["p99"] for row in rows) * 1.1

    def at(rate: float, value: float) -> str:
        x = _LEFT + (_WIDTH - _LEFT - 60) * rate / widest
        y = _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - 24) * value / highest
        return f"{x:.1f},{y:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 8}" text-anchor="middle">events a second</text>',
        f'<text x="{_LEFT}" y="14">milliseconds, Kafka to Kafka</text>',
    ]
    for row in rows:
        x, y = at(row["rate"], 0).split(",")
        parts.append(f'<text x="{x}" y="{float(y) + 16:.1f}" text-anchor="middle">{row["rate"]:g}</text>')
    for share in (0, 0.25, 0.5, 0.75, 1):
        _, y = at(0, share * highest).split(",")
        parts.append(f'<path d="M{_LEFT},{y}H{_WIDTH - 60}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{float(y) + 4:.1f}" text-anchor="end">{share * highest:.0f}</text>')
    for name, colour in _COLOURS.items():
        points = [at(row["rate"], row[name]) for row in rows]
        x, y = points[-1].split(",")
        parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{float(x) + 8:.1f}" y="{float(y) + 4:.1f}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    app()
