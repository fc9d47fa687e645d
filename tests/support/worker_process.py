"""A stream that no other test uses, and real workers on it: `python -m sluicegate worker`."""

import base64
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import orjson
from confluent_kafka import Message

from sluicegate.agents.kafka.admin import create_topics, topic_configs
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.local.child_process import start_worker, stop_child
from sluicegate.agents.settings import load_settings
from tests.support.brokers import Broker, TopicMaker
from tests.support.kafka_client import Record, committed_offsets, consume_all, end_offsets, produce_all
from tests.support.ports import free_port

PATIENT_MS = 25_000
"""The deadline of an event unless a test sets one: a busy machine alone must not degrade its decision."""

OUTPUTS = ("recall", "ranking", "blocked", "review", "deadletter", "ledger")
"""What the gate writes."""


@dataclass(frozen=True)
class Output:
    """A record that the worker published: its event's name, its position, its headers and its parsed value."""

    name: str
    at: tuple[str, int, int]
    key: bytes | None
    headers: Mapping[str, bytes | None]
    value: bytes
    event: dict[str, Any]
    timestamp_ms: int

    @property
    def event_id(self) -> str:
        return str(self.event["event_id"])

    @property
    def trace_id(self) -> str:
        return (self.headers["traceparent"] or b"").decode().split("-")[1]


@dataclass(frozen=True)
class Stream:
    """Topics, by their events' names, and a consumer group that no other test has."""

    bootstrap_servers: str
    topics: Mapping[str, str]
    group_id: str
    input: str = "raw"
    """The input topic of the agent that is tested, by its event's name."""
    outputs_of_agent: tuple[str, ...] = OUTPUTS
    agent: str = "gate"

    def of_format_agent(self) -> "Stream":
        """The same stream, as the format agent sees it."""
        outputs = ("actions_formatted", "deadletter", "ledger")
        return replace(self, input="actions_raw", outputs_of_agent=outputs, agent="format")

    def of_review_agent(self) -> "Stream":
        """The same stream, as the review agent sees it."""
        outputs = ("reviewed", "recall", "ranking", "blocked", "deadletter", "ledger")
        return replace(self, input="review", outputs_of_agent=outputs, agent="review")

    @property
    def reading_group(self) -> str:
        """The consumer group of the agent that is tested."""
        return self.group_id if self.agent == "gate" else f"{self.group_id}-{self.agent}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings that make a command use this stream."""
        names = {f"SLUICE_TOPIC_{name.upper()}": topic for name, topic in self.topics.items()}
        return {"SLUICE_BOOTSTRAP_SERVERS": self.bootstrap_servers, "SLUICE_GROUP_ID": self.group_id, **names}

    def produce(self, records: Sequence[Record]) -> None:
        produce_all(self.bootstrap_servers, self.topics[self.input], records)

    def inputs(self) -> list[Message]:
        """Every record of the input topic."""
        return self._read([self.topics[self.input]])

    def ledger_count(self) -> int:
        return sum(end_offsets(self.bootstrap_servers, self.topics["ledger"]).values())

    def outputs(self) -> list[Output]:
        """Every record of every output topic."""
        names = {self.topics[name]: name for name in self.outputs_of_agent}
        return [_output(names, message) for message in self._read(list(names))]

    def committed(self) -> dict[int, int]:
        return committed_offsets(self.bootstrap_servers, self.reading_group, self.topics[self.input])

    def ends(self) -> dict[int, int]:
        """The end offset of each input partition that has records."""
        ends = end_offsets(self.bootstrap_servers, self.topics[self.input])
        return {partition: end for partition, end in ends.items() if end}

    def await_commits(self, timeout_s: float = 60) -> None:
        """Wait until the group has no lag: every input offset is committed, none beyond the end."""
        wait_for(lambda: self.committed() == self.ends(), timeout_s, "the group's lag is not 0")

    def _read(self, topics: list[str]) -> list[Message]:
        expected = sum(sum(end_offsets(self.bootstrap_servers, topic).values()) for topic in topics)
        return consume_all(self.bootstrap_servers, topics, lambda messages: len(messages) >= expected)


def fresh_stream(
    bootstrap_servers: str, name: str, *, partitions: int = 4, replication: int = 1, **config: str
) -> Stream:
    """A stream with new topics and a new group; `config` applies to all of its topics."""
    prefix = f"{name.replace(' ', '-')}-{uuid.uuid4().hex[:6]}"
    events = {event: f"{prefix}.{event}" for event in load_settings().topics}
    configs = {topic: {**given, **config} for topic, given in topic_configs(events).items()}
    create_topics(Connection.plaintext(bootstrap_servers), configs, partitions, replication)
    return Stream(bootstrap_servers, events, f"{prefix}.group")


def make_stream(
    broker: Broker, topics: TopicMaker, *, partitions: int = 4, configs: Mapping[str, Mapping[str, str]] | None = None
) -> Stream:
    """Make the topics as `sluice topics create` does; `configs` overrides some of an event's topic's settings."""
    events = {name: name for name in load_settings().topics}
    made = {
        event: topics(event, partitions=partitions, config={**config, **(configs or {}).get(event, {})})
        for event, config in topic_configs(events).items()
    }
    return Stream(broker.bootstrap_servers, made, f"group-{uuid.uuid4().hex[:8]}")


class WorkerProcess:
    """A started worker; see `run_worker`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, http_port: int) -> None:
        self._process = process
        self._log = log
        self.http_port = http_port

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def healthy(self) -> bool:
        """Whether /healthz answers. Fails when the process has ended."""
        assert self._process.poll() is None, f"the worker ended with {self._process.returncode}:\n{self.log[-4000:]}"
        try:
            return get_probe(self.http_port, "healthz").status_code == 200
        except httpx.TransportError:
            return False

    def health(self) -> dict[str, Any]:
        """The answer of /healthz."""
        return dict(get_probe(self.http_port, "healthz").raise_for_status().json())

    def readiness(self) -> tuple[int, str]:
        """The status code of /readyz, and the reason that it gives."""
        answer = get_probe(self.http_port, "readyz")
        return answer.status_code, answer.json()["status"]

    @property
    def peak_memory_bytes(self) -> int:
        """The most memory that it has had resident since its start (Linux)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024

    def stop(self) -> None:
        """End the worker with SIGTERM; it must finish what is in flight and exit with 0."""
        self._process.send_signal(signal.SIGTERM)
        code = self.exit_code(30)
        assert code == 0, f"exit code {code}:\n{self.log[-4000:]}"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def exit_code(self, timeout_s: float) -> int:
        """Wait for the worker to end."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker still runs after {timeout_s:g} s:\n{self.log[-4000:]}") from None


@contextmanager
def run_worker(stream: Stream, folder: Path, **settings: object) -> Iterator[WorkerProcess]:
    """A worker of the stream's agent that answers on /healthz; `settings` by their names; its log in `folder`."""
    port = free_port()
    deadlines = {"deadline_ms": PATIENT_MS, "format_deadline_ms": PATIENT_MS, "review_deadline_ms": PATIENT_MS}
    given = {f"SLUICE_{name.upper()}": str(value) for name, value in {**deadlines, **settings}.items()}
    environment = {**stream.environment, "SLUICE_HTTP_PORT": str(port), **given}
    log = folder / f"worker-{port}.log"
    process = start_worker(environment, log, ("sluicegate", "worker", stream.agent))
    worker = WorkerProcess(process, log, port)
    try:
        wait_for(worker.healthy, 60, "the worker does not answer on /healthz")
        yield worker
    finally:
        stop_child(process, 0.1)


def get_probe(http_port: int, name: str, timeout_s: float = 5) -> httpx.Response:
    """The answer of `healthz` or `readyz`."""
    # Without `verify=False` httpx reads every certificate authority for every request, plain HTTP or not.
    return httpx.get(f"http://127.0.0.1:{http_port}/{name}", timeout=timeout_s, verify=False)


def wait_for(condition: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
    """Wait until `condition` holds; fail with the message `otherwise`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{otherwise} after {timeout_s:g} s"
        time.sleep(0.1)


def original(field: str | None) -> bytes | None:
    """The bytes that a dead letter holds as base64."""
    return None if field is None else base64.b64decode(field, validate=True)


def _output(names: Mapping[str, str], message: Message) -> Output:
    topic, value = message.topic() or "", message.value() or b""
    headers: Any = message.headers() or ()
    at = (topic, message.partition() or 0, message.offset() or 0)
    return Output(names[topic], at, message.key(), dict(headers), value, orjson.loads(value), message.timestamp()[1])
