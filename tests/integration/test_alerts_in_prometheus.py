"""The alerts and the dashboards in a real Prometheus that scrapes a real worker, whose conditions are made for real.

All times of the rules are 60 times shorter here: five minutes are five seconds. Only thresholds in seconds stay, such
as that of late commits. Alerts that look back for hours or a week, and those of other processes, are shown by promtool
only: tests/unit/deploy/test_alerts.py.
"""

import re
import signal
import threading
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
import orjson
import pytest

from deploy.grafana.generate import EVENTS
from sluicegate.agents.local.child_process import start_worker, stop_child
from sluicegate.agents.local.embedded_broker import EmbeddedBroker
from tests.support.ports import free_port
from tests.support.prometheus import Prometheus, require_prometheus, scraping
from tests.support.worker_process import Stream, fresh_stream, get_probe, wait_for

DEPLOY = Path(__file__).parents[2] / "deploy"
SHORTER: Final = 60
SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
PLAIN: Final = [orjson.dumps({"query": f"allow shoes {number}"}) for number in range(10)]
"""Queries that the scripted model allows."""
OF_A_SILENT_KAFKA: Final = {
    "SluicegateNoWorker",
    "SluicegateNotReady",
    "SluicegateCommitsFail",
    "SluicegateStuck",
    "SluicegateLag",
    "SluicegateLagGrows",
}


def sooner(rules: str) -> str:
    """The rules with every range, offset and `for` SHORTER times as short."""

    def shorten(found: re.Match[str]) -> str:
        return f"{found[1]}{max(1, int(found[2]) * SECONDS[found[3]] // SHORTER)}s"

    return re.sub(r"(\[|\boffset |\bfor: )(\d+)([smhdw])\b", shorten, rules)


@contextmanager
def sending(stream: Stream, *values: bytes) -> Iterator[None]:
    """These values twice a second, until the end of the block."""
    ended = threading.Event()

    def send() -> None:
        while not ended.wait(0.5):
            stream.produce([(None, value, []) for value in values])

    sender = threading.Thread(target=send, name="sender", daemon=True)
    sender.start()
    try:
        yield
    finally:
        ended.set()
        sender.join(30)


class World:
    """A broker, a worker with a scripted model, and a Prometheus that scrapes it."""

    def __init__(self, folder: Path) -> None:
        self.stack = ExitStack()
        self.broker = self.stack.enter_context(EmbeddedBroker())
        self.stream = fresh_stream(self.broker.bootstrap_servers, "alerts", partitions=1)
        self.fault = folder / "fault"
        port = free_port()
        environment = {
            **self.stream.environment,
            "SLUICE_HTTP_PORT": str(port),
            "SLUICE_CACHE_SIZE": "0",
            "CHAOS_MODEL_FAULT": str(self.fault),
        }
        self.worker = start_worker(environment, folder / "worker.log", ("tests.chaos.worker",))
        self.stack.callback(lambda: stop_child(self.worker, 0.1))
        wait_for(lambda: ready(port), 60, "the worker is not ready")
        rules = folder / "alerts.yaml"
        rules.write_text(sooner((DEPLOY / "alerts.yaml").read_text()))
        config = scraping([f"127.0.0.1:{port}"], rules=rules, every="500ms")
        self.prometheus = self.stack.enter_context(Prometheus(config, folder))

    def await_firing(self, *alerts: str, timeout_s: float = 60) -> set[str]:
        """Wait until all of `alerts` have fired; returns every alert that fired meanwhile."""
        fired: set[str] = set()

        def all_fired() -> bool:
            fired.update(self.prometheus.firing())
            return set(alerts) <= fired

        wait_for(all_fired, timeout_s, f"{alerts} do not all fire")
        return fired

    def await_silence(self) -> None:
        """Wait until no alert fires any more."""
        wait_for(lambda: not self.prometheus.firing(), 60, "alerts still fire")


def ready(port: int) -> bool:
    try:
        return get_probe(port, "readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    require_prometheus()
    made = World(tmp_path_factory.mktemp("world"))
    with made.stack, sending(made.stream, *PLAIN):
        wait_for(
            lambda: bool(made.prometheus.query("sluicegate:verdict_share:rate1h > 0")), 60, "Prometheus has no verdicts"
        )
        made.await_silence()
        yield made


@pytest.mark.xdist_group("prometheus")
def test_every_panel_of_the_dashboards_can_be_queried_and_shows_what_a_worker_reports(world: World) -> None:
    described = tomllib.loads((DEPLOY / "grafana" / "dashboards.toml").read_text())
    panels = [panel for dashboard in described["dashboard"] for row in dashboard["row"] for panel in row["panel"]]
    for panel in panels:
        expressions = [
            query["expr"].replace("{events}", EVENTS).replace("$__rate_interval", "5s")
            for query in panel.get("queries", [])
        ]
        shown = [bool(world.prometheus.query(expression)) for expression in expressions]
        if expressions and "empty" not in panel:
            assert any(shown), f"{panel['title']} shows nothing"


@pytest.mark.xdist_group("prometheus")
def test_records_that_nobody_can_read_raise_the_alert_of_dead_letters_alone(world: World) -> None:
    with sending(world.stream, b"poison"):
        assert world.await_firing("SluicegateDeadLetters") == {"SluicegateDeadLetters"}
    world.await_silence()


@pytest.mark.xdist_group("prometheus")
def test_a_model_that_fails_raises_the_alert_of_degraded_decisions(world: World) -> None:
    world.fault.write_text("raise")
    fired = world.await_firing("SluicegateDegraded", "SluicegateEscalation", timeout_s=120)
    assert fired == {"SluicegateDegraded", "SluicegateEscalation"}
    world.fault.unlink()
    world.await_silence()


@pytest.mark.xdist_group("prometheus")
def test_a_kafka_that_does_not_answer_raises_the_alerts_of_a_worker_that_decides_nothing(world: World) -> None:
    world.broker._process.send_signal(signal.SIGSTOP)
    try:
        fired = world.await_firing("SluicegateNoWorker", "SluicegateNotReady", timeout_s=90)
    finally:
        world.broker._process.send_signal(signal.SIGCONT)
    assert fired <= OF_A_SILENT_KAFKA
