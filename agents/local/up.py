"""``sluice up``: everything on this machine, in one terminal.

It starts an embedded broker, creates the topics, starts the three agents, each in its own process, and publishes sample
queries and an action. It shows the outcome of each query as it arrives, one trace as a tree, starting at the producer's
span, how a person decides a query that the gate was not sure of, and the JSON that the action became.
"""

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import orjson
from rich.console import Console
from rich.live import Live
from rich.markup import escape

from sluicegate.agents.kafka.admin import create_topics, topic_configs
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.local.action import TEXT, await_formatted, publish_action
from sluicegate.agents.local.child_process import start_worker, stop_child
from sluicegate.agents.local.embedded_broker import EmbeddedBroker
from sluicegate.agents.local.otlp_receiver import OtlpReceiver, ReceivedSpan
from sluicegate.agents.local.outcome_table import outcome_table
from sluicegate.agents.local.review import deny_one
from sluicegate.agents.local.sample import SampleQuery, follow, publish, read_sample
from sluicegate.agents.local.trace_tree import draw
from sluicegate.agents.settings import Settings, load_settings
from sluicegate.schemas.errors import SluicegateError

_STOP_TIMEOUT_S: Final = 20.0
_LOOK_EVERY_S: Final = 0.2
_SHOWN_TRACE: Final = "sample-02"


def run_demo(console: Console, *, keep: bool) -> None:
    """Run the demo and clean up. With `keep`, broker and worker stay until Ctrl-C.

    Raises:
        SluicegateError: the broker or the worker does not start, the broker ends, or an event has no outcome.
    """
    with EmbeddedBroker() as broker, OtlpReceiver() as receiver, tempfile.TemporaryDirectory() as folder:
        settings = load_settings(
            bootstrap_servers=broker.bootstrap_servers,
            otlp_endpoint=receiver.endpoint,
            http_port=_free_port(),
            reviewers="people",
            review_queue=Path(folder) / "reviews.db",
        )
        create_topics(Connection.of(settings), topic_configs(settings.topics), partitions=4, replication_factor=1)
        console.print(f"broker {settings.bootstrap_servers}, {len(settings.topics)} topics; starting the workers …")
        log = Path(folder) / "worker.log"
        queries = read_sample()
        format_log = Path(folder) / "format.log"
        with (
            _worker(broker, settings, log, "gate") as worker,
            _worker(broker, settings, format_log, "format", _free_port()),
        ):
            publish_action(settings)
            _show_outcomes(console, settings, receiver, queries, worker, log)
            _show_trace(console, receiver, next(query for query in queries if query.event_id == _SHOWN_TRACE))
            _show_action(console, settings, format_log)
            review_log = Path(folder) / "review.log"
            # Last: its ledger records are not the gate's.
            with _worker(broker, settings, review_log, "review", _free_port()):
                _show_review(console, settings, review_log)
                if keep:
                    with contextlib.suppress(KeyboardInterrupt):
                        _keep_running(console, settings, broker, worker, log)
    for meaning, arguments in (
        ("Try your own", 'gate "wireless headphons"'),
        ("Keep broker and worker", "up --keep"),
        ("Settings", "config show"),
    ):
        console.print(f"{meaning}: [bold]{_command()} {arguments}[/]")


def _show_outcomes(
    console: Console,
    settings: Settings,
    receiver: OtlpReceiver,
    queries: list[SampleQuery],
    worker: subprocess.Popen[bytes],
    log: Path,
) -> None:
    started = time.monotonic()
    with Live(console=console, refresh_per_second=10) as live:
        publish(settings, receiver.endpoint, queries)
        for _ in follow(settings, queries):
            live.update(outcome_table(queries, console.width))
            if worker.poll() is not None:
                break
        live.update(outcome_table(queries, console.width))
    console.print()
    if missing := [query for query in queries if query.ledger is None]:
        raise SluicegateError(f"{len(missing)} events have no outcome. The end of the worker's log:\n{_tail(log)}")
    seconds = time.monotonic() - started
    console.print(f"{len(queries)} records, {len(queries)} outcomes in {seconds:.1f} s, worker start included\n")


def _show_trace(console: Console, receiver: OtlpReceiver, query: SampleQuery) -> None:
    trace_id = query.events["ledger"]["trace_id"]
    if not receiver.wait_for(lambda r: _is_whole(r.spans(trace_id)), timeout_s=5):
        console.print(
            "No complete trace arrived. Check the OTEL_… variables of this terminal: one may turn off recording."
        )
        return
    console.print(f"The trace of [bold]{query.text!r}[/], starting at the producer's span:")
    console.print(draw(receiver.spans(trace_id)))


def _show_action(console: Console, settings: Settings, log: Path) -> None:
    event = await_formatted(settings)
    if event is None:
        raise SluicegateError(f"the action was not formatted. The end of the worker's log:\n{_tail(log)}")
    console.print(f"\nThe action [bold]{TEXT!r}[/], as JSON of its schema:")
    console.print(f"  {orjson.dumps(event['value']).decode()}", highlight=False, markup=False, soft_wrap=True)


def _show_review(console: Console, settings: Settings, log: Path) -> None:
    denied = deny_one(settings)
    if denied is None:
        raise SluicegateError(f"no query was reviewed. The end of the worker's log:\n{_tail(log)}")
    console.print(
        f"\nThe gate was not sure of [bold]{escape(repr(denied.query))}[/]. A person denies it ({denied.category}):"
    )
    console.print("  queries.review ─► queries.reviewed, queries.blocked", highlight=False)


def _keep_running(
    console: Console, settings: Settings, broker: EmbeddedBroker, worker: subprocess.Popen[bytes], log: Path
) -> None:
    """Does not return. Raises BrokerUnavailable when the broker ends."""
    console.print(
        f"\nBroker and worker run until Ctrl-C. In another terminal:\n"
        f"  export SLUICE_BOOTSTRAP_SERVERS={settings.bootstrap_servers}\n"
        f"  {_command()} tail\n"
        f'  {_command()} produce "wireless headphons"\n'
        f"  {_command()} topics describe\n"
        f"  {_command()} tail actions_formatted --from-beginning\n"
        f"  SLUICE_REVIEW_QUEUE={settings.review_queue} {_command()} review\n"
        f"  curl http://{settings.http_host}:{settings.http_port}/readyz\n"
        f"  tail -f {log}\n"
        f"  kill {worker.pid} && {_command()} worker    # replace it with your own",
        highlight=False,
        soft_wrap=True,
    )
    worker_runs = True
    while True:
        broker.require_running()
        if worker_runs and worker.poll() is not None:
            worker_runs = False
            console.print(f"The worker has ended with status {worker.returncode}. The broker runs until Ctrl-C.")
        time.sleep(_LOOK_EVERY_S)


def _command() -> str:
    """How this program was started."""
    return "python -m sluicegate" if sys.argv[0].endswith("__main__.py") else sys.argv[0]


@contextmanager
def _worker(
    broker: EmbeddedBroker, settings: Settings, log: Path, agent: str, port: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process of `agent` that uses our broker and trace receiver, and ends with this process."""
    environment = {
        "SLUICE_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "SLUICE_OTLP_ENDPOINT": settings.otlp_endpoint or "",
        "SLUICE_HTTP_PORT": str(port or settings.http_port),
        "SLUICE_REVIEWERS": settings.reviewers,
        "SLUICE_REVIEW_QUEUE": str(settings.review_queue),
    }
    process = start_worker(environment, log, ("sluicegate", "worker", agent))
    try:
        yield process
    finally:
        stop_child(process, 0 if broker.ended else _STOP_TIMEOUT_S)  # without a broker it cannot finish anything


def _is_whole(spans: list[ReceivedSpan]) -> bool:
    return {"process", "publish"} <= {span.name.partition(" ")[0] for span in spans if span.service == "sluicegate"}


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
