"""Runs one scenario: start workers and a producer, inject a fault, wait for recovery, compare inputs with outputs."""

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
from tests.chaos.verifier import Findings, verify
from tests.support.kafka_cluster import ApacheKafka
from tests.support.log_hygiene import assert_nothing_leaks
from tests.support.ports import free_port
from tests.support.worker_process import Stream, fresh_stream, get_probe, wait_for

SESSION_MS: Final = 6_000
PARTITIONS: Final = 6

_TIMEOUT_S: Final = 180.0


@dataclass(frozen=True)
class Fault:
    """A fault, and what it may change. `also_allowed`: outcomes that any event may have because of it."""

    inject: "Callable[[Chaos], None]"
    """Breaks something, and repairs it before it returns."""
    workers: int = 2
    settings: Mapping[str, str] = field(default_factory=dict)
    also_allowed: frozenset[str] = frozenset()
    through_proxy: bool = False
    timestamp_of: Callable[[random.Random], int] | None = None
    no_duplicates: bool = False
    """Whether the scenario fails if an event has two outcomes."""
    must_fall_back: bool = False
    """Whether the scenario fails if no event fell back, see `Findings`: then the fault had no effect."""


@dataclass(frozen=True)
class ScenarioResult:
    """The result. `recovered_s`: from the end of the fault until every event published before it is committed."""

    name: str
    findings: Findings
    recovered_s: float
    passed: bool


class Chaos:
    """The running system that a fault acts on."""

    def __init__(self, cluster: ApacheKafka, proxies: Proxies, stream: Stream, folder: Path, fault: Fault) -> None:
        self.cluster = cluster
        self.proxies = proxies
        self.stream = stream
        self.producer: SteadyProducer
        self.workers: list[subprocess.Popen[bytes]] = []
        self._removed: set[int] = set()
        self._folder = folder
        self._fault = fault
        self._ports: dict[int, int] = {}
        self.registry = Registry(folder / "registry")
        self.registry.use(str(EMBEDDED_MODEL))

    def start_worker(self) -> int:
        """Start another worker; returns its index in `workers`."""
        self.workers.append(self._start(len(self.workers)))
        return len(self.workers) - 1

    def restart(self, number: int) -> None:
        """Wait for a worker to end, start it again, and wait until it is ready."""
        self.workers[number].wait()
        self.workers[number] = self._start(number)
        self.await_ready(number)

    def remove_worker(self, number: int) -> None:
        """Stop a worker for good."""
        self._removed.add(number)
        self.signal(number, signal.SIGTERM)
        self.workers[number].wait()

    def restart_ended(self) -> None:
        """Restart the workers that ended on their own, as an orchestrator does.

        A worker that cannot publish ends without acking, so that its events are redelivered.
        """
        for number, worker in enumerate(self.workers):
            if number not in self._removed and worker.poll() is not None:
                self.workers[number] = self._start(number)

    def signal(self, number: int, what: int) -> None:
        """Send a worker a signal."""
        os.kill(self.workers[number].pid, what)

    def await_ready(self, number: int) -> None:
        """Wait until the worker is ready."""
        wait_for(lambda: self._ready(number), 90, f"worker {number} is not ready")

    def models_of(self, number: int) -> str:
        """The models that a worker serves, and its problems with others, as its probe reports them."""
        answer = get_probe(self._ports[number], "healthz")
        return str(answer.json()["models"])

    def break_model(self, how: str, seconds: float, *, second: bool = False) -> None:
        """Make the model of every worker, or its `second` one, fail for `seconds`."""
        fault = self._second_fault if second else self._model_fault
        fault.write_text(how)
        time.sleep(seconds)
        fault.unlink()

    def stop_workers(self) -> None:
        """Stop all workers with SIGTERM, and kill those that do not end."""
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.terminate()
        for worker in self.workers:
            stop_child(worker, 40)

    @property
    def _model_fault(self) -> Path:
        return self._folder / "model-fault"

    @property
    def _second_fault(self) -> Path:
        return self._folder / "second-fault"

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
            "SLUICE_PUBLISH_TIMEOUT_MS": "15000",  # three brokers that have just started share the cores
            "SLUICE_TRACE_SAMPLE_RATIO": "0.1",
            "CHAOS_MODEL_FAULT": str(self._model_fault),
            "CHAOS_SECOND_FAULT": str(self._second_fault),
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
) -> ScenarioResult:
    """Run one scenario on `cluster`, with its own topics and group; the logs stay in `folder`."""
    folder.mkdir(parents=True)
    nodes = len(cluster.ports)
    stream = fresh_stream(
        cluster.bootstrap_servers,
        name,
        partitions=PARTITIONS,
        replication=nodes,
        **{"min.insync.replicas": str(max(1, nodes - 1))},
    )
    with _stopped_at_the_end(Chaos(cluster, proxies, stream, folder, fault)) as chaos:
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
        ends = _retried(stream.ends)
        wait_for(lambda: _committed_beyond(chaos, ends), _TIMEOUT_S, f"the lag does not become 0: see {folder}")
    for log in folder.glob("worker-*.log"):
        assert_nothing_leaks(log.read_text(errors="replace"), secrets=[cluster.password], texts=QUERY_TEXTS)
    findings = verify(stream.inputs(), stream.outputs(), fault.also_allowed)
    repeated = fault.no_duplicates and findings.duplicates > 0
    without_effect = fault.must_fall_back and findings.fell_back == 0
    return ScenarioResult(name, findings, recovered_s, findings.correct and not repeated and not without_effect)


@contextmanager
def _stopped_at_the_end(chaos: Chaos) -> Iterator[Chaos]:
    try:
        yield chaos
    finally:
        chaos.stop_workers()


def _recover(chaos: Chaos) -> float:
    """Seconds until everything that is published now is committed."""
    began, ends = time.monotonic(), _retried(chaos.stream.ends)
    wait_for(lambda: _committed_beyond(chaos, ends), _TIMEOUT_S, "the workers do not recover")
    return time.monotonic() - began


def _committed_beyond(chaos: Chaos, ends: Mapping[int, int]) -> bool:
    chaos.restart_ended()
    committed = _retried(chaos.stream.committed)
    return all(committed.get(partition, 0) >= end for partition, end in ends.items())


def _retried(ask: Callable[[], dict[int, int]]) -> dict[int, int]:
    """The cluster's answer, asked again until it can give one: a broker may be starting."""
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
