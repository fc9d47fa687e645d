"""A broker, a worker, a producer and a reader of the ledger: what the benchmarks from Kafka to Kafka run on."""

import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from confluent_kafka import Consumer, Producer
from rich.console import Console
from rich.progress import Progress

from benchmarks.queries import mixed_queries
from sluicegate.agents.kafka.admin import create_topics, topic_configs
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.record_log import RecordLog
from sluicegate.agents.local.child_process import start_worker, stop_child
from sluicegate.agents.local.embedded_broker import EmbeddedBroker
from sluicegate.agents.settings import Settings, load_settings
from tests.support.kafka_cluster import ApacheKafka, available

PARTITIONS: Final = 4
HTTP_PORT: Final = 16_066
_TIMEOUT_S: Final = 300.0


@dataclass(frozen=True)
class Seen:
    """A ledger record: when it arrived (`time.perf_counter`), and when it was written (seconds since the epoch)."""

    at: float
    written: float
    record: dict[str, Any]


class Bench:
    """A producer of raw queries and a reader of the ledger, which reads live or once everything is written."""

    def __init__(
        self, settings: Settings, worker: "subprocess.Popen[bytes]", worker_log: Path, log: RecordLog, *, live: bool
    ) -> None:
        self.settings = settings
        self._log = log
        self._live = live
        self._worker = worker
        self._worker_log = worker_log
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
        """Publish `rate` queries per second at random times, without waiting for answers."""
        rng, due = random.Random(4), time.perf_counter()
        for query in queries:
            due += rng.expovariate(rate)
            while (wait := due - time.perf_counter()) > 0:
                self._producer.poll(0)
                time.sleep(min(wait, 0.005))
            self.send(query)

    def wait(self, what: str) -> None:
        """Wait until every event that was sent is in the ledger."""
        self._producer.flush(_TIMEOUT_S)
        give_up = time.monotonic() + _TIMEOUT_S
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(what, total=len(self.sent))
            while (done := len(self.seen) if self._live else self._written()) < len(self.sent):
                if self._worker.poll() is not None:
                    sys.exit(f"the worker has ended:\n{self._worker_log.read_text()[-2000:]}")
                if time.monotonic() > give_up:
                    sys.exit(f"only {done} of {len(self.sent)} events were decided in {_TIMEOUT_S:g} s")
                time.sleep(0.02 if self._live else 0.25)
                progress.update(task, completed=done)
        if not self._live:
            self._read_ledger(lambda: len(self.seen) == len(self.sent))

    def rate(self) -> float:
        """Events a second, without the first tenth, which is slower than the rest."""
        written = sorted(seen.written for seen in self.seen.values())
        first = len(written) // 10
        return (len(written) - first) / (written[-1] - written[first])

    @property
    def worker_pid(self) -> int:
        """The worker's process."""
        return self._worker.pid

    @property
    def worker_cpu_s(self) -> float:
        """The CPU time that the worker has used, user and system."""
        fields = Path(f"/proc/{self.worker_pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def decided_without_the_model(self) -> int:
        """How many events were degraded."""
        return sum((seen.record.get("decision") or {}).get("degraded", False) for seen in self.seen.values())

    def latencies_ms(self) -> list[float]:
        """The latency of every event that was sent."""
        return [1000 * (self.seen[event_id].at - sent) for event_id, sent in self.sent.items()]

    def forget(self) -> None:
        """Start a new measurement."""
        self.sent.clear()
        self.seen.clear()

    def close(self) -> None:
        """Stop reading."""
        self._ended = True
        if self._live:
            self._reader.join()

    def _written(self) -> int:
        """How many ledger records this measurement has; asks for offsets, which costs less than reading."""
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
            message = consumer.poll(0.05)  # `consume` would wait for more records, and the time would be too late
            at = time.perf_counter()
            if message is not None and message.error() is None:
                record = orjson.loads(message.value() or b"")
                self.seen[record["event_id"]] = Seen(at, message.timestamp()[1] / 1000, record)
        consumer.close()


def _broker() -> ApacheKafka | EmbeddedBroker:
    return EmbeddedBroker() if available() else ApacheKafka()


@contextmanager
def running(
    module: Sequence[str], environment: Mapping[str, str], *, live: bool = True, first: int = 200
) -> Iterator[Bench]:
    """A worker, started as ``python -m`` `module`, that has decided its `first` events.

    With `live`, the ledger is read all the time, which latencies need. Otherwise it is read at the end, which leaves
    the machine to the worker.
    """
    with _broker() as broker, tempfile.TemporaryDirectory() as folder:
        settings = load_settings(bootstrap_servers=broker.bootstrap_servers)
        create_topics(Connection.of(settings), topic_configs(settings.topics), PARTITIONS, 1)
        given = {
            "SLUICE_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "SLUICE_HTTP_PORT": str(HTTP_PORT),
            **environment,
        }
        with RecordLog(Connection.plaintext(broker.bootstrap_servers)) as log:
            worker_log = Path(folder) / "worker.log"
            worker = start_worker(given, worker_log, module)
            bench = Bench(settings, worker, worker_log, log, live=live)
            try:
                for query in mixed_queries(first):
                    bench.send(f"{query} first")
                bench.wait("starting")
                bench.forget()
                yield bench
            finally:
                bench.close()
                stop_child(worker, 30)


WORKER: Final = ("sluicegate", "worker")
NULL_WORKER: Final = ("benchmarks.null_worker",)
