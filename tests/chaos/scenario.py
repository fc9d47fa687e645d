"""One fault, from the first event to the books: producer, workers, fault, recovery, verdict."""

import os
import random
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
from confluent_kafka import KafkaException

from sluicegate.agents.local.child_process import start_worker, stop_child
from sluicegate.agents.settings import EMBEDDED_MODEL
from sluicegate.models.artifacts.registry import Registry
from tests.chaos.producer import QUERY_TEXTS, SteadyProducer
from tests.chaos.proxy import Proxies
from tests.chaos.verifier import Verdict, verify
from tests.support.kafka_cluster import ApacheKafka
from tests.support.log_hygiene import assert_nothing_leaks
from tests.support.ports import free_port
from tests.support.worker_process import Stream, fresh_stream, get_probe, wait_for

SESSION_MS: Final = 6_000
PARTITIONS: Final = 6

_MOST_S: Final = 180.0


@dataclass(frozen=True)
class Fault:
    """`inject` breaks something and mends it again. `also_allowed`: outcomes that any event may have meanwhile."""

    inject: "Callable[[Chaos], None]"
    workers: int = 2
    settings: Mapping[str, str] = field(default_factory=dict)
    also_allowed: frozenset[str] = frozenset()
    through_proxy: bool = False
    timestamp_of: Callable[[random.Random], int] | None = None
    never_twice: bool = False
    """Whether a duplicate breaks the promise."""
    felt: bool = False
    """Whether events must have fallen back, or the fault was none."""


@dataclass(frozen=True)
class Row:
    """What came of a scenario. `recovered_s`: from the fault's end until all that was published before is committed."""

    name: str
    verdict: Verdict
    recovered_s: float
    kept: bool


class Chaos:
    """What a fault may lay hands on."""

    def __init__(self, cluster: ApacheKafka, proxies: Proxies, stream: Stream, folder: Path, fault: Fault) -> None:
        self.cluster = cluster
        self.proxies = proxies
        self.stream = stream
        self.producer: SteadyProducer
        self.workers: list[subprocess.Popen[bytes]] = []
        self._retired: set[int] = set()
        self._folder = folder
        self._fault = fault
        self._ports: dict[int, int] = {}
        self.registry = Registry(folder / "registry")
        self.registry.use(str(EMBEDDED_MODEL))

    def start_worker(self) -> int:
        """Start one more; returns its place in `workers`."""
        self.workers.append(self._start(len(self.workers)))
        return len(self.workers) - 1

    def restart(self, number: int) -> None:
        """Start a worker again that has ended, and wait until it is ready."""
        self.workers[number].wait()
        self.workers[number] = self._start(number)
        self.await_ready(number)

    def retire(self, number: int) -> None:
        """End a worker for good."""
        self._retired.add(number)
        self.signal(number, signal.SIGTERM)
        self.workers[number].wait()

    def revive(self) -> None:
        """Start what has ended by itself again, as whatever runs workers does.

        A worker that cannot publish ends without acking, so that its events come again.
        """
        for number, worker in enumerate(self.workers):
            if number not in self._retired and worker.poll() is not None:
                self.workers[number] = self._start(number)

    def signal(self, number: int, what: int) -> None:
        """Send a worker a signal."""
        os.kill(self.workers[number].pid, what)

    def await_ready(self, number: int) -> None:
        """Until /readyz says so."""
        wait_for(lambda: self._ready(number), 90, f"worker {number} is not ready")

    def models_of(self, number: int) -> str:
        """The models that a worker serves, and its problems with others, as its probe reports them."""
        answer = get_probe(self._ports[number], "healthz")
        return str(answer.json()["models"])

    def break_model(self, how: str, seconds: float) -> None:
        """Every worker's model fails for so long."""
        self._model_fault.write_text(how)
        time.sleep(seconds)
        self._model_fault.unlink()

    def stop_workers(self) -> None:
        """SIGTERM, and kill what does not end."""
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.terminate()
        for worker in self.workers:
            stop_child(worker, 40)

    @property
    def _model_fault(self) -> Path:
        return self._folder / "model-fault"

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        self._ports[number] = free_port()
        through_proxy = {
            "SLUICE_BOOTSTRAP_SERVERS": ",".join(f"127.0.0.1:{port}" for port in self.cluster.proxy_ports),
            "SLUICE_SECURITY_PROTOCOL": "sasl_plaintext",
            "SLUICE_SASL_MECHANISM": "PLAIN",
            "SLUICE_SASL_USERNAME": self.cluster.user,
            "SLUICE_SASL_PASSWORD": self.cluster.password,
        }
        environment = {
            **self.stream.environment,
            "SLUICE_HTTP_PORT": str(self._ports[number]),
            "SLUICE_SESSION_TIMEOUT_MS": str(SESSION_MS),
            "SLUICE_DEADLINE_MS": "3000",
            "SLUICE_TRACE_SAMPLE_RATIO": "0.1",
            "CHAOS_MODEL_FAULT": str(self._model_fault),
            "SLUICE_MODEL": str(self.registry.folder),
            **(through_proxy if self._fault.through_proxy else {}),
            **self._fault.settings,
        }
        log = self._folder / f"worker-{number}-{uuid.uuid4().hex[:4]}.log"
        return start_worker(environment, log, ["tests.chaos.worker"])

    def _ready(self, number: int) -> bool:
        assert self.workers[number].poll() is None, f"worker {number} ended: see {self._folder}"
        try:
            return get_probe(self._ports[number], "readyz", timeout_s=2).status_code == 200
        except httpx.HTTPError:
            return False


def run(
    cluster: ApacheKafka, proxies: Proxies, name: str, fault: Fault, *, count: int, rate: float, seed: int, folder: Path
) -> Row:
    """Play one scenario on `cluster`, with topics and a group of its own; logs stay in `folder`."""
    folder.mkdir(parents=True)
    nodes = len(cluster.ports)
    stream = fresh_stream(
        cluster.bootstrap_servers,
        name,
        partitions=PARTITIONS,
        replication=nodes,
        **{"min.insync.replicas": str(max(1, nodes - 1))},
    )
    with _played(Chaos(cluster, proxies, stream, folder, fault)) as chaos:
        for number in range(fault.workers):
            chaos.start_worker()
            chaos.await_ready(number)
        chaos.producer = SteadyProducer(
            cluster.bootstrap_servers, stream.topics["raw"], count, rate, seed, fault.timestamp_of
        )
        chaos.producer.start()
        chaos.producer.wait_for(count // 5)
        fault.inject(chaos)
        recovered_s = _recover(chaos)
        chaos.producer.finish()
        wait_for(lambda: _committed_beyond(chaos, _patiently(stream.ends)), _MOST_S, f"the lag stays: see {folder}")
    for log in folder.glob("worker-*.log"):
        assert_nothing_leaks(log.read_text(errors="replace"), secrets=[cluster.password], texts=QUERY_TEXTS)
    verdict = verify(stream.inputs(), stream.outputs(), fault.also_allowed)
    kept = verdict.kept and not (fault.never_twice and verdict.duplicates) and (verdict.fell_back or not fault.felt)
    return Row(name, verdict, recovered_s, bool(kept))


@contextmanager
def _played(chaos: Chaos) -> Iterator[Chaos]:
    try:
        yield chaos
    finally:
        chaos.stop_workers()


def _recover(chaos: Chaos) -> float:
    """Seconds until what is published by now is committed."""
    began, ends = time.monotonic(), _patiently(chaos.stream.ends)
    wait_for(lambda: _committed_beyond(chaos, ends), _MOST_S, "the workers do not recover")
    return time.monotonic() - began


def _committed_beyond(chaos: Chaos, ends: Mapping[int, int]) -> bool:
    chaos.revive()
    committed = _patiently(chaos.stream.committed)
    return all(committed.get(partition, 0) >= end for partition, end in ends.items())


def _patiently(ask: Callable[[], dict[int, int]]) -> dict[int, int]:
    """What the cluster says, as soon as it can say it: a broker may be on its way back."""
    deadline = time.monotonic() + _MOST_S
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
