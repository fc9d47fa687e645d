"""How many events a second one worker takes from Kafka to Kafka: ``python -m benchmarks.throughput``.

An embedded broker holds the events before the worker starts, so it is never short of work. The rate is that of the
ledger: from its first record to its last, by the broker's clock, so that the worker's start is not in it.
"""

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import orjson
import typer
from confluent_kafka import Consumer, Producer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from agents.local.embedded_broker import EmbeddedBroker
from agents.local.tethered import start_worker, stop_tethered
from agents.settings import Settings, load_settings
from agents.topics import create_topics, topic_configs
from models.labels import Category
from models.training import safe, unsafe
from models.training.corruption import corrupt
from models.training.products import product_query

_PARTITIONS = 4
_HTTP_PORT = 16_066
_TIMEOUT_S = 300.0


def mixed_queries(count: int) -> list[str]:
    """Misspelt product queries, questions, requests for help and unsafe requests, a quarter each; seeded."""
    rng = random.Random(1)
    kinds = (
        lambda: corrupt(product_query(rng).text, rng),
        lambda: safe.other(rng),
        lambda: safe.support(rng),
        lambda: unsafe.unsafe(rng.choice(list(Category)), rng),
    )
    return [rng.choice(kinds)() for _ in range(count)]


def publish(settings: Settings, queries: list[str]) -> None:
    """Put every query on the raw topic."""
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    for number, query in enumerate(queries):
        producer.produce(settings.topic_raw, orjson.dumps({"query": query, "event_id": f"event-{number}"}))
    producer.flush(_TIMEOUT_S)


def ledger_seconds(settings: Settings, count: int) -> float:
    """Wait for `count` ledger records; the seconds from the first to the last, as the broker dated them."""
    consumer = Consumer(
        {"bootstrap.servers": settings.bootstrap_servers, "group.id": "throughput", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([settings.topic_ledger])
    stamps: list[int] = []
    give_up = time.monotonic() + _TIMEOUT_S
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("events", total=count)
        while len(stamps) < count and time.monotonic() < give_up:
            messages = consumer.consume(500, 0.2)
            stamps += [message.timestamp()[1] for message in messages if message.error() is None]
            progress.update(task, completed=len(stamps))
    consumer.close()
    if len(stamps) < count:
        sys.exit(f"only {len(stamps)} of {count} events were decided in {_TIMEOUT_S:g} s")
    return (max(stamps) - min(stamps)) / 1000


def main(count: Annotated[int, typer.Option(help="Events to publish.")] = 5000) -> None:
    """Print the rate of one worker with its settings as they are in this environment."""
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        settings = load_settings(bootstrap_servers=broker.bootstrap_servers)
        create_topics(settings.bootstrap_servers, topic_configs(settings.topics), _PARTITIONS, 1)
        publish(settings, mixed_queries(count))
        environment = {
            "SLUICE_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "SLUICE_HTTP_PORT": str(_HTTP_PORT),
        }
        worker = start_worker(environment, Path(folder) / "worker.log")
        try:
            seconds = ledger_seconds(settings, count)
        finally:
            stop_tethered(worker, 30)
    table = Table("events", "partitions", "window", "batch size", "seconds", "events per second")
    row = (count, _PARTITIONS, settings.window, settings.batch_size, f"{seconds:.1f}", f"{count / seconds:.0f}")
    table.add_row(*map(str, row))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
