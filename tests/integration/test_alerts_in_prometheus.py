"""The alerts and the dashboards in a real Prometheus that scrapes a real worker, whose conditions are made for real.

All times of the rules are 60 times shorter here, at most half a minute. Only thresholds in seconds stay, such as that
of late commits. ONLY_SIMULATED names the alerts whose condition is not made here; promtool shows every alert in
simulated time: tests/unit/deploy/test_alerts.py.
"""

import re
import signal
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx
import orjson
import pytest

from deploy.grafana.generate import EVENTS
from sluicegate.agents.kafka.admin import create_topics
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.local.child_process import start_worker, stop_child
from sluicegate.agents.local.embedded_broker import EmbeddedBroker
from sluicegate.agents.settings import EMBEDDED_MODEL
from tests.support.chat_server import ChatServer, error, said
from tests.support.ports import free_port
from tests.support.prometheus import Prometheus, require_prometheus, scraping
from tests.support.review_stream import answer, api_of, by_words, review_records
from tests.support.worker_process import Stream, fresh_stream, get_probe, wait_for

DEPLOY = Path(__file__).parents[2] / "deploy"
SHORTER: Final = 60
LONGEST_S: Final = 30
SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
PLAIN: Final = [orjson.dumps({"query": f"allow shoes {number}"}) for number in range(10)]
"""Queries that the scripted model allows."""
UNSURE: Final = [b'{"query": "review shoes"}']
"""What the scripted model asks the second one about."""
SECOND_MODEL: Final = {"second_model": EMBEDDED_MODEL, "second_queue_size": 1, "second_deadline_ms": 500}
THRIFTY: Final = {
    "review_fallback": "gate",
    "review_api_attempts": 1,
    "review_api_open_ms": 500,
    "review_api_read_timeout_ms": 2000,
    "review_deadline_ms": 4000,
    "review_api_budget": 1.0,
}
"""A reviewer that may be asked ten times at the price of `DEAR`, with a circuit breaker that soon tries again."""
DEAR: Final = said(answer(allow=True), tokens=(100_000, 1_000))
OF_A_SILENT_KAFKA: Final = {
    "SluicegateNoWorker",
    "SluicegateNotReady",
    "SluicegateCommitsFail",
    "SluicegateStuck",
    "SluicegateLag",
    "SluicegateLagGrows",
}


ONLY_SIMULATED: Final = {
    "SluicegateCommitsFail",  # half a minute without a commit
    "SluicegateLag",
    "SluicegateLagGrows",
    "SluicegateRequestErrors",
    "SluicegateSpoolDrops",
    "SluicegateSpoolGrows",  # a record that is an hour old
    "SluicegateVerdictDrift",  # a week
}
OF_A_HUNG_MODEL: Final = {
    "SluicegateStuck",
    "SluicegateSlow",
    "SluicegateLatencyBurnsFast",
    "SluicegateLatencyBurnsSlowly",
    "SluicegateDegraded",
}


def sooner(rules: str) -> str:
    """The rules with every range, offset and `for` SHORTER times as short, and none longer than LONGEST_S."""

    def shorten(found: re.Match[str]) -> str:
        seconds = int(found[2]) * SECONDS[found[3]] // SHORTER
        return f"{found[1]}{min(max(1, seconds), LONGEST_S)}s"

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


@contextmanager
def failing(fault: Path, how: str) -> Iterator[None]:
    """The model that reads the file `fault` fails like that until the end of the block."""
    fault.write_text(how)
    try:
        yield
    finally:
        fault.unlink()


class World:
    """A broker, a worker with a scripted model, and a Prometheus that scrapes it."""

    def __init__(self, folder: Path) -> None:
        self.stack = ExitStack()
        self.broker = self.stack.enter_context(EmbeddedBroker())
        self.stream = fresh_stream(self.broker.bootstrap_servers, "alerts", partitions=1)
        self.folder, self.fault, self.second_fault = folder, folder / "fault", folder / "second-fault"
        port, self.other_port = free_port(), free_port()
        self.stack.enter_context(self.process(self.stream, port, "tests.chaos.worker", **SECOND_MODEL))
        rules = folder / "alerts.yaml"
        rules.write_text(sooner((DEPLOY / "alerts.yaml").read_text()))
        config = scraping([f"127.0.0.1:{port}", f"127.0.0.1:{self.other_port}"], rules=rules, every="500ms")
        self.prometheus = self.stack.enter_context(Prometheus(config, folder))

    @contextmanager
    def process(self, stream: Stream, port: int, *module: str, **settings: object) -> Iterator[None]:
        """A worker on `port`, with these settings, from when it is ready to the end of the block."""
        environment = {
            **stream.environment,
            "SLUICE_HTTP_PORT": str(port),
            "SLUICE_CACHE_SIZE": "0",
            "CHAOS_MODEL_FAULT": str(self.fault),
            "CHAOS_SECOND_FAULT": str(self.second_fault),
            **{f"SLUICE_{name.upper()}": str(value) for name, value in settings.items()},
        }
        worker = start_worker(environment, self.folder / f"worker-{port}.log", module)
        try:
            wait_for(lambda: ready(port), 60, "the worker is not ready")
            yield
        finally:
            stop_child(worker, 0.1)

    def await_firing(self, *alerts: str, timeout_s: float = 60) -> set[str]:
        """Wait until all of `alerts` have fired; returns every alert that fired meanwhile."""
        fired: set[str] = set()

        def all_fired() -> bool:
            fired.update(self.prometheus.firing())
            return set(alerts) <= fired

        give_up = time.monotonic() + timeout_s
        while not all_fired():
            assert time.monotonic() < give_up, f"{set(alerts) - fired} do not fire, but {fired}"
            time.sleep(0.1)
        return fired

    def await_silence(self) -> None:
        """Wait until no alert fires any more."""
        wait_for(lambda: not self.prometheus.firing(), 60, "alerts still fire")


def ready(port: int) -> bool:
    try:
        return get_probe(port, "readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_the_runbook_says_which_alerts_are_only_simulated() -> None:
    runbook = (DEPLOY.parent / "docs" / "runbook.md").read_text()
    found = re.search(r"only in simulated time: (.+?)\.", runbook, re.DOTALL)
    assert found
    assert {f"Sluicegate{name}" for name in re.findall(r"\w+", found[1])} == ONLY_SIMULATED


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    require_prometheus()
    made = World(tmp_path_factory.mktemp("world"))
    with made.stack, sending(made.stream, *PLAIN):
        wait_for(
            lambda: bool(made.prometheus.query("sluicegate:verdict_share:rate1h > 0")), 60, "Prometheus has no verdicts"
        )
        yield made


@pytest.fixture
def silent(world: World) -> World:
    """The world, once no alert fires."""
    world.await_silence()
    return world


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
def test_records_that_nobody_can_read_raise_the_alert_of_dead_letters_alone(silent: World) -> None:
    with sending(silent.stream, b"poison"):
        assert silent.await_firing("SluicegateDeadLetters") == {"SluicegateDeadLetters"}


@pytest.mark.xdist_group("prometheus")
def test_a_model_that_fails_raises_the_alert_of_degraded_decisions(silent: World) -> None:
    with failing(silent.fault, "raise"):
        fired = silent.await_firing("SluicegateDegraded", "SluicegateEscalation", timeout_s=120)
    assert fired == {"SluicegateDegraded", "SluicegateEscalation"}


@pytest.mark.xdist_group("prometheus")
def test_a_second_model_without_time_raises_its_alert_alone(silent: World) -> None:
    with failing(silent.second_fault, "hang"), sending(silent.stream, *UNSURE):
        fired = silent.await_firing("SluicegateSecondOverloaded")
    assert fired == {"SluicegateSecondOverloaded"}


@pytest.mark.xdist_group("prometheus")
def test_a_topic_that_refuses_records_raises_the_alert_of_errors(silent: World) -> None:
    refused = fresh_stream(silent.broker.bootstrap_servers, "refused", partitions=1)
    tiny = f"{refused.topics['recall']}.tiny"
    create_topics(Connection.plaintext(refused.bootstrap_servers), {tiny: {"max.message.bytes": "100"}}, 1, 1)
    refused = replace(refused, topics={**refused.topics, "recall": tiny})
    with silent.process(refused, silent.other_port, "tests.chaos.worker"), sending(refused, *PLAIN):
        fired = silent.await_firing("SluicegateErrors", "SluicegateDeadLetters")
    # On a busy machine an event may miss its deadline while the second worker starts.
    assert fired - {"SluicegateDegraded"} == {"SluicegateErrors", "SluicegateDeadLetters"}


@pytest.mark.xdist_group("prometheus")
def test_a_reviewer_that_fails_and_then_costs_too_much_raises_the_alerts_of_reviews(silent: World) -> None:
    reviewed = fresh_stream(silent.broker.bootstrap_servers, "reviewed", partitions=1).of_review_agent()
    reviews = [value or b"" for _, value, _ in review_records([f"allow shoes {number}" for number in range(10)])]
    with (
        ChatServer(by_words) as server,
        silent.process(reviewed, silent.other_port, "sluicegate", "worker", "review", **api_of(server), **THRIFTY),
        sending(reviewed, *reviews),
    ):
        server.script = lambda _body, _number: error(500)
        failing = silent.await_firing("SluicegateReviewCircuitOpen", "SluicegateReviewFallback")
        server.script = lambda _body, _number: DEAR
        spent = silent.await_firing("SluicegateReviewBudget", "SluicegateReviewBudgetSpent")
    assert failing == {"SluicegateReviewCircuitOpen", "SluicegateReviewFallback"}
    assert spent <= failing | {"SluicegateReviewBudget", "SluicegateReviewBudgetSpent"}


@pytest.mark.xdist_group("prometheus")
def test_a_kafka_that_does_not_answer_raises_the_alerts_of_a_worker_that_decides_nothing(silent: World) -> None:
    silent.broker._process.send_signal(signal.SIGSTOP)
    try:
        fired = silent.await_firing("SluicegateNoWorker", "SluicegateNotReady", timeout_s=90)
    finally:
        silent.broker._process.send_signal(signal.SIGCONT)
    assert fired <= OF_A_SILENT_KAFKA


@pytest.mark.xdist_group("prometheus")
def test_a_model_that_hangs_raises_the_alerts_of_slow_events(silent: World) -> None:
    with failing(silent.fault, "hang"):
        fired = silent.await_firing(*OF_A_HUNG_MODEL, timeout_s=90)
    assert fired <= OF_A_HUNG_MODEL | {"SluicegateEscalation", "SluicegateLag", "SluicegateLagGrows"}
