"""The worker under load, from Kafka to Kafka: ``python -m benchmarks.load --help``.

Every command starts a broker and a worker on this machine, next to the producer and the consumer that measure them.
The broker is Apache Kafka where java and Maven are installed (see tests/support/kafka_cluster.py), else the embedded
one. Its clients are never idle: it answers at once that there is nothing to read, and they ask again. Latency is the
time from the call that produces a raw record to the arrival of its ledger record, which the worker writes last.
"""

import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.kafka_bench import HTTP_PORT, NULL_WORKER, PARTITIONS, WORKER, running
from benchmarks.latency_plot import draw_latency
from benchmarks.observer import observer
from benchmarks.process_memory import memory_bytes
from benchmarks.queries import mixed_queries, zipf_queries
from sluicegate.agents.deciding.decider import load_engine
from sluicegate.agents.local.otlp_receiver import OtlpReceiver
from sluicegate.agents.process.start_environment import restart_with_environment
from sluicegate.agents.settings import load_settings
from sluicegate.models.text.normalise import normalise

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)

Out = Annotated[Path | None, typer.Option("--json", help="Write all numbers here, as JSON.")]

_NO_CACHE: Final = {"SLUICE_CACHE_SIZE": "0"}


def _saturate(module: Sequence[str], environment: Mapping[str, str], queries: Sequence[str]) -> float:
    with running(module, environment, live=False) as bench:
        for query in queries:
            bench.send(query)
        bench.wait("saturated")
        if late := bench.decided_without_the_model():
            sys.exit(f"{late} events were too late for the model: set SLUICE_DEADLINE_MS higher or SLUICE_WINDOW lower")
        return bench.rate()


def _saturate_for_cpu(environment: Mapping[str, str], queries: Sequence[str]) -> tuple[float, float]:
    """Events a second without a model, and the microseconds of CPU time that the worker takes for one."""
    with running(NULL_WORKER, environment, live=False) as bench:
        before_s = bench.worker_cpu_s
        for query in queries:
            bench.send(query)
        bench.wait("saturated")
        used_s = bench.worker_cpu_s - before_s
        return bench.rate(), 1e6 * used_s / len(queries)


def _offline_rate(count: int) -> float:
    command = [sys.executable, "-m", "benchmarks.load", "offline", "--count", str(count)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


@app.command()
def offline(count: Annotated[int, typer.Option(min=100, help="Queries.")] = 2000) -> None:
    """Queries a second of the engine alone, in full batches of neighbouring lengths, in the worker's environment."""
    restart_with_environment()
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
    """The highest rate of events: without a model, with one, and with queries that repeat."""
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
    table = Table("", "events a second", title=f"{count} events, {PARTITIONS} partitions, one worker")
    for name, rate in rates.items():
        table.add_row(name, f"{rate:.0f}")
    Console().print(table)
    _write(json, rates)


@app.command()
def overhead(
    count: Annotated[int, typer.Option(min=1000, help="Events of each run.")] = 20_000, json: Out = None
) -> None:
    """The pipeline without a model, compared with programs that only pass events on."""
    queries = mixed_queries(count)
    rates = {
        "a loop around confluent-kafka": _saturate(("benchmarks.passthrough", "confluent"), {}, queries),
        "an agent of Faust": _saturate(("benchmarks.passthrough", "faust"), {}, queries),
        "the pipeline, no model": _saturate(NULL_WORKER, _NO_CACHE, queries),
    }
    table = Table("", "events a second", "to the pipeline", title=f"{count} events, {PARTITIONS} partitions")
    for name, rate in rates.items():
        table.add_row(name, f"{rate:.0f}", f"{rate / rates['the pipeline, no model']:.2f} x")
    Console().print(table)
    _write(json, rates)


@app.command()
def observed(
    count: Annotated[int, typer.Option(min=1000, help="Events of each run.")] = 20_000,
    pairs: Annotated[int, typer.Option(min=1, help="Runs of each kind, in turn.")] = 3,
    json: Out = None,
) -> None:
    """What a tenth of the traces, /metrics every 5 s and an open status page cost together, without a model.

    Waiting does not change CPU time, so on a machine that does other work it says more than the rate.
    """
    queries = mixed_queries(count)
    plain, watched = list[tuple[float, float]](), list[tuple[float, float]]()
    with OtlpReceiver() as receiver:
        traced = {"SLUICE_OTLP_ENDPOINT": receiver.endpoint, "SLUICE_TRACE_SAMPLE_RATIO": "0.1"}
        for _ in range(pairs):
            plain.append(_saturate_for_cpu({**_NO_CACHE, "SLUICE_STATUS_PAGE": "false"}, queries))
            with observer(f"http://127.0.0.1:{HTTP_PORT}") as seen:
                watched.append(_saturate_for_cpu(_NO_CACHE | traced, queries))
            if not seen.scrapes or not seen.snapshots:
                sys.exit(f"only {seen.scrapes} scrapes and {seen.snapshots} snapshots: use more events")
    pairs_of_runs = list(zip(plain, watched, strict=True))
    slower = statistics.median(1 - with_all[0] / without[0] for without, with_all in pairs_of_runs)
    dearer = statistics.median(with_all[1] / without[1] - 1 for without, with_all in pairs_of_runs)
    table = Table("events a second", "observed", "CPU an event, µs", "observed", title=f"{count} events")
    for without, with_all in pairs_of_runs:
        table.add_row(*(f"{number:.0f}" for number in (without[0], with_all[0], without[1], with_all[1])))
    Console().print(table)
    Console().print(f"medians: {slower:.1%} fewer events, {dearer:.1%} more CPU an event", highlight=False)
    _write(json, {"not observed": plain, "observed": watched, "slower": slower, "dearer": dearer})


@app.command()
def latency(
    rates: Annotated[str, typer.Option(help="Events a second, separated by commas.")] = "10,50,100,150,200,250,300",
    seconds: Annotated[float, typer.Option(min=1, help="Length of each.")] = 20,
    plot: Annotated[Path | None, typer.Option(help="Draw latency against load here, as SVG.")] = None,
    json: Out = None,
) -> None:
    """Latency at fixed rates with random arrivals, and what the pipeline adds to the model's own time."""
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
        plot.write_text(draw_latency(rows))


@app.command()
def overload(
    rate: Annotated[float, typer.Option(help="Events a second; more than the model can take.")] = 700,
    seconds: Annotated[float, typer.Option(min=1, help="For how long.")] = 20,
    shed_after_ms: Annotated[int, typer.Option(help="SLUICE_SHED_AFTER_MS.")] = 500,
    json: Out = None,
) -> None:
    """More events than the model can decide: how many are shed, and how long the others wait."""
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


if __name__ == "__main__":
    app()
