"""``sluice up``: the whole of Sluicegate in one terminal, on this machine alone.

An embedded broker, the topics, a worker in a process of its own, and a sample of raw queries; then what became of each,
live, and one trace from the producer's span on, as a tree.
"""

import contextlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import orjson
from confluent_kafka import Consumer, Message, Producer
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, set_span_in_context
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sluicegate.agents.kafka.admin import create_topics, topic_configs
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.local.child_process import start_worker, stop_child
from sluicegate.agents.local.embedded_broker import EmbeddedBroker
from sluicegate.agents.local.otlp_receiver import OtlpReceiver, ReceivedSpan
from sluicegate.agents.local.trace_tree import draw
from sluicegate.agents.settings import Settings, load_settings
from sluicegate.agents.telemetry.trace_context import inject
from sluicegate.schemas.codec import event_id_of
from sluicegate.schemas.errors import SluicegateError

_START_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 20.0
_OUTCOME_STYLE: Final = {"allowed": "green", "blocked": "red", "review": "yellow", "deadletter": "magenta"}
_SHOWN_TRACE: Final = "sample-02"
_WIDTH: Final = 160  # where the terminal does not tell
_COLUMNS: Final = {"kind": 3, "query": 7, "outcome": 3, "why": 4, "intent": 3, "rewrite": 7, "topics": 4}
_SECONDARY: Final = {"kind", "why"}
"""Columns that a terminal narrower than `_NARROW` does without."""
_NARROW: Final = 120


@dataclass
class _Query:
    """One line of the sample and what became of it."""

    kind: str
    value: bytes | None
    event_id: str = ""
    events: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def ledger(self) -> dict[str, Any] | None:
        """The audit record, once it and every output that it lists have arrived."""
        entry = self.events.get("ledger")
        return entry if entry and len(self.events) == len(entry["outputs"]) + 1 else None

    @property
    def text(self) -> str:
        """The query as a reader would like to see it."""
        try:
            return str(orjson.loads(self.value or b"null")["query"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return (self.value or b"(no value)").decode(errors="replace")


def show(console: Console, *, keep: bool) -> None:
    """Run it all and clean up, after Ctrl-C if `keep`; raises SluicegateError when a part does not come up."""
    if not console.is_terminal:
        console.width = _WIDTH
    with EmbeddedBroker() as broker, OtlpReceiver() as receiver, tempfile.TemporaryDirectory() as folder:
        settings = load_settings(
            bootstrap_servers=broker.bootstrap_servers, otlp_endpoint=receiver.endpoint, http_port=_free_port()
        )
        create_topics(Connection.of(settings), topic_configs(settings.topics), partitions=4, replication_factor=1)
        console.print(f"broker {settings.bootstrap_servers}, {len(settings.topics)} topics; starting the worker …")
        log = Path(folder) / "worker.log"
        queries = _read_sample()
        with _worker(settings, log) as worker:
            _show_outcomes(console, settings, receiver, queries, worker, log)
            _show_trace(console, receiver, next(query for query in queries if query.event_id == _SHOWN_TRACE))
            if keep:
                with contextlib.suppress(KeyboardInterrupt):
                    _stay(console, settings, worker, log)
    for meaning, arguments in (
        ("Try your own", 'gate "chep runing shoes"'),
        ("Keep broker and worker", "up --keep"),
        ("Settings", "config show"),
    ):
        console.print(f"{meaning}: [bold]{_command()} {arguments}[/]")


def _show_outcomes(
    console: Console,
    settings: Settings,
    receiver: OtlpReceiver,
    queries: list[_Query],
    worker: subprocess.Popen[bytes],
    log: Path,
) -> None:
    started = time.monotonic()
    with Live(console=console, refresh_per_second=10) as live:
        _publish(settings, receiver, queries)
        for _ in _follow(settings, queries):
            live.update(_table(queries, console.width))
            if worker.poll() is not None:
                break
        live.update(_table(queries, console.width))
    console.print()
    if missing := [query for query in queries if query.ledger is None]:
        raise SluicegateError(f"{len(missing)} events have no outcome; the worker said:\n{_tail(log)}")
    seconds = time.monotonic() - started
    console.print(f"{len(queries)} records, {len(queries)} outcomes in {seconds:.1f} s, the worker's start included\n")


def _show_trace(console: Console, receiver: OtlpReceiver, query: _Query) -> None:
    trace_id = query.events["ledger"]["trace_id"]
    if not receiver.wait_for(lambda r: _is_whole(r.spans(trace_id)), timeout_s=5):
        console.print(
            "No whole trace arrived: does an OTEL_… variable of this terminal keep spans from being recorded?"
        )
        return
    console.print(f"The trace of [bold]{query.text!r}[/], from the producer's span on:")
    console.print(draw(receiver.spans(trace_id)))


def _stay(console: Console, settings: Settings, worker: subprocess.Popen[bytes], log: Path) -> None:
    console.print(
        f"\nBroker and worker stay until Ctrl-C. In another terminal:\n"
        f"  export SLUICE_BOOTSTRAP_SERVERS={settings.bootstrap_servers}\n"
        f"  {_command()} tail\n"
        f'  {_command()} produce "chep runing shoes"\n'
        f"  {_command()} topics describe\n"
        f"  curl http://{settings.http_host}:{settings.http_port}/readyz\n"
        f"  tail -f {log}\n"
        f"  kill {worker.pid} && {_command()} worker    # one of your own in its place",
        highlight=False,
        soft_wrap=True,
    )
    ended = worker.wait()
    console.print(f"The worker has ended with status {ended}; the broker stays until Ctrl-C.")
    threading.Event().wait()


def _command() -> str:
    """How this program was called."""
    return "python -m sluicegate" if sys.argv[0].endswith("__main__.py") else sys.argv[0]


def _read_sample() -> list[_Query]:
    lines = files("sluicegate.agents.local").joinpath("sample.jsonl").read_bytes().splitlines()
    queries = []
    for row in map(orjson.loads, lines):
        if "record" in row:
            queries.append(_Query(row["kind"], orjson.dumps(row["record"])))
        else:
            queries.append(_Query(row["kind"], row["text"].encode() if row["text"] is not None else None))
    return queries


@contextmanager
def _worker(settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process that ends with this one, joined to nothing but our broker and collector."""
    environment = {
        "SLUICE_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "SLUICE_OTLP_ENDPOINT": settings.otlp_endpoint or "",
        "SLUICE_HTTP_PORT": str(settings.http_port),
    }
    process = start_worker(environment, log)
    try:
        yield process
    finally:
        stop_child(process, _STOP_TIMEOUT_S)


def _publish(settings: Settings, receiver: OtlpReceiver, queries: list[_Query]) -> None:
    """Publish the sample as an instrumented producer would: a span each, carried on by the record's headers."""
    provider = TracerProvider(resource=Resource.create({"service.name": "search-frontend"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{receiver.endpoint}/v1/traces")))
    tracer = provider.get_tracer(__name__)
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})

    for query in queries:

        def delivered(error: object, message: Message, query: _Query = query) -> None:
            if error is None:
                derived = f"{message.topic()}-{message.partition()}-{message.offset()}"
                query.event_id = event_id_of(query.value) or derived

        with tracer.start_as_current_span(f"publish {settings.topic_raw}", kind=SpanKind.PRODUCER) as span:
            headers: list[tuple[str, str | bytes | None]] = [*inject(set_span_in_context(span))]
            producer.produce(settings.topic_raw, query.value, headers=headers, on_delivery=delivered)
    producer.flush(_START_TIMEOUT_S)
    provider.shutdown()


def _follow(settings: Settings, queries: list[_Query]) -> Iterator[None]:
    """Yield after every output, until all of every query have come, or it takes too long."""
    names = {topic: name for name, topic in settings.topics.items() if name not in ("raw", "reviewed")}
    by_id = {query.event_id: query for query in queries}
    consumer = Consumer(
        {"bootstrap.servers": settings.bootstrap_servers, "group.id": "sluice-up", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(list(names))
    give_up = time.monotonic() + _START_TIMEOUT_S
    try:
        while time.monotonic() < give_up and not all(query.ledger for query in queries):
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                event = orjson.loads(message.value() or b"{}")
                if query := by_id.get(event.get("event_id")):
                    query.events[names[str(message.topic())]] = event
            yield
    finally:
        consumer.close()


def _table(queries: list[_Query], width: int) -> Table:
    table = Table(box=None, padding=(0, 1), expand=True)
    shown = [heading for heading in _COLUMNS if width >= _NARROW or heading not in _SECONDARY]
    for heading in shown:
        table.add_column(heading, ratio=_COLUMNS[heading], no_wrap=True, overflow="ellipsis")
    table.add_column("ms", justify="right", no_wrap=True)
    for query in queries:
        cells = {"kind": query.kind, "query": _plain(query.text), "outcome": "…", **_outcome(query)}
        row = [cells.get(heading, "") for heading in (*shown, "ms")]
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return table


def _outcome(query: _Query) -> dict[str, str | Text]:
    """The cells that are known once the query's ledger record is there."""
    ledger = query.ledger
    if ledger is None:
        return {}
    decision = ledger["decision"] or {}
    event = query.events.get("recall") or query.events.get("review") or {}
    why = decision.get("category") or ""
    if decision and why:
        why += f" {decision['probabilities'].get(why, 0):.2f}"
    if ledger["outcome"] == "deadletter":
        why = ledger["validation"].partition(": ")[2]
    rewrite = event.get("lexical", "")
    return {
        "outcome": Text(ledger["outcome"], style=_OUTCOME_STYLE[ledger["outcome"]]),
        "why": why,
        "intent": event.get("intent", ""),
        "rewrite": rewrite if rewrite != query.text else "(kept)",
        "topics": ", ".join(position["topic"].removeprefix("queries.") for position in ledger["outputs"]),
        "ms": f"{ledger['latency_ms']['total']:.1f}",
    }


def _plain(text: str) -> str:
    """`text` with what a terminal would act on made visible."""
    return "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in text)


def _is_whole(spans: list[ReceivedSpan]) -> bool:
    return {"process", "publish"} <= {span.name.partition(" ")[0] for span in spans if span.service == "sluicegate"}


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
