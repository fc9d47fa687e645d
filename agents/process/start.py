"""Starting the worker: check everything, join the group, work until a signal."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import faust
import uvloop
from mode import Service

from sluicegate.agents.agent import Agent, RunningT
from sluicegate.agents.background import BackgroundTasks
from sluicegate.agents.deciding.live_models import LiveModels, LoadedModels, load_models
from sluicegate.agents.formatting.formatting import LoadedFormatting
from sluicegate.agents.gate.agent import gate_agent
from sluicegate.agents.http.access import Access
from sluicegate.agents.http.checks import check_settings
from sluicegate.agents.http.observing import Page
from sluicegate.agents.http.server import listen
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.preflight import require_rights, require_topics
from sluicegate.agents.kafka.schema_registry import publish_schemas
from sluicegate.agents.process.api_server import ApiServer
from sluicegate.agents.process.garbage_collector import freeze_long_lived_objects
from sluicegate.agents.process.health import Health
from sluicegate.agents.process.probe_server import ProbeServer
from sluicegate.agents.process.signals import ignore_other_signals, install_handlers
from sluicegate.agents.process.status import status_keys, status_page
from sluicegate.agents.process.watchdog import StopWatchdog
from sluicegate.agents.process.worker import Worker
from sluicegate.agents.settings import Settings, warnings_about
from sluicegate.agents.telemetry import EventSpan, PrometheusPage, Telemetry
from sluicegate.agents.telemetry.logs import configure_logging, expect_leaving
from sluicegate.agents.time_budget import LEAVE_GROUP_S, PREFLIGHT_S, TELEMETRY_S
from sluicegate.schemas.version import VERSION

logger = logging.getLogger(__name__)


def run_worker(settings: Settings, load: Callable[[Settings], LoadedModels] = load_models) -> None:
    """Run the gate, with the HTTP API on its port if SLUICE_HTTP_API asks for it. See `run_agent`."""
    run_agent(settings, gate_agent(settings, load), live_models=lambda gate: gate.live_models)


def run_agent(
    settings: Settings,
    agent: Agent[RunningT],
    *,
    live_models: Callable[[RunningT], LiveModels[EventSpan]] | None = None,
    has_review_queue: bool = False,
) -> None:
    """Check everything, then join the group and work until a signal. Does not return: it ends the process.

    `live_models` are those of an agent that can serve the HTTP API too. An agent that `has_review_queue` can serve the
    reviews in it.

    Raises:
        ConfigurationError: a topic or a right is missing, the port is taken, the ledger of the HTTP API cannot be
            opened, or the agent cannot be loaded.
        SpoolFailed: that ledger is a spool that cannot be opened, or that another process has open.
        BrokerUnavailable: the cluster cannot be reached.
    """
    configure_logging(settings.log_level)
    ignore_other_signals()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    listen(settings.http_host, settings.http_port).close()
    access = Access(settings) if settings.http_api and (live_models or has_review_queue) else None
    if access:
        check_settings(settings)
    keys = status_keys(settings)
    _check_cluster(settings, agent)
    formatting = LoadedFormatting.load(settings) if access and live_models else None
    loaded = agent.load()  # last, because it takes longest
    metrics = PrometheusPage()
    telemetry = Telemetry.start(
        otlp_endpoint=settings.otlp_endpoint,
        sample_ratio=settings.trace_sample_ratio,
        slow_after_ms=settings.trace_slow_ms,
        service_version=VERSION,
        instance_id=socket.gethostname(),
        prometheus=metrics,
    )
    worker = Worker(settings, agent, loaded, telemetry)
    for warning in warnings_about(settings):
        logger.warning("%s", warning)
    logger.info("%s; joining group %s", loaded.description, agent.subscription.group_id)

    def flush() -> None:
        telemetry.shutdown(TELEMETRY_S)
        logging.shutdown()

    try:
        health = Health(worker.state, agent.budget)
        title = f"worker of {agent.subscription.topic} on {socket.gethostname()}"
        status = status_page(settings, keys, title, metrics, telemetry, health.standing)
        server: _Server = ProbeServer(settings, metrics, status)
        if access:
            in_service = partial(_live_models, worker, live_models)
            server = ApiServer(
                settings,
                access,
                telemetry,
                in_service,
                formatting,
                metrics,
                status=status,
                has_review_queue=has_review_queue,
            )
        process = _FaustProcess(worker.app, health, telemetry, server)
        StopWatchdog(
            stopping=lambda: process.should_stop or process.drain_requested(),
            in_flight=lambda: worker.in_flight,
            longest_s=agent.budget.leave_after_s,
            idle_s=LEAVE_GROUP_S,
            flush=flush,
            exit_code=lambda: 1 if worker.app.crashed else 0,
        ).start()
        freeze_long_lived_objects()
        process.execute_from_commandline()
    finally:
        logger.info("stopped")
        flush()


def _check_cluster(settings: Settings, agent: Agent[RunningT]) -> None:
    """Check that the cluster has every topic of the agent, and lets us use it."""
    connection, subscription = Connection.of(settings), agent.subscription
    written = [settings.topics[name] for name in agent.outputs]
    require_topics(connection, [subscription.topic, *written], PREFLIGHT_S)
    require_rights(connection, read=subscription.topic, write=written, group_id=subscription.group_id)
    if settings.schema_registry_url:
        ids = publish_schemas(settings)
        logger.info("the schema registry has the schemas of %d topics", len(ids))


def _live_models(
    worker: Worker[RunningT], live_models: Callable[[RunningT], LiveModels[EventSpan]] | None
) -> LiveModels[EventSpan] | None:
    return live_models(worker.running) if live_models and worker.running else None


class _Server(Protocol):
    """Serves the worker's port: its probes, and the HTTP API if that is asked for."""

    async def start(self, pages: Mapping[str, Page]) -> None: ...

    async def stop(self) -> None: ...


class _FaustProcess(faust.Worker):
    """Faust's process, with our signals, our probe port and our background tasks around its app."""

    def __init__(self, app: Any, health: Health, telemetry: Telemetry, server: _Server) -> None:
        super().__init__(
            app,
            _Probes(health, telemetry, server),
            quiet=True,
            override_logging=False,
            redirect_stdouts=False,
        )
        self.spinner = None  # it would write terminal codes between our log lines
        self._health = health
        self.drain_requested: Callable[[], bool] = lambda: False

    def install_signal_handlers(self) -> None:
        """Install the worker's handlers in place of Faust's."""
        self.drain_requested = install_handlers(self.loop, self._drain, self._health.log_state)

    def _drain(self, received: signal.Signals) -> None:
        if not self.should_stop:
            logger.info("%s received", received.name)
            expect_leaving()
            self._on_sigterm()


class _Probes(Service):
    """The probe port, and what is logged and measured of the worker's health.

    It starts before Faust's app and ends after it.
    """

    def __init__(self, health: Health, telemetry: Telemetry, server: _Server) -> None:
        super().__init__()
        self._health = health
        self._telemetry = telemetry
        self._server = server
        self._background = BackgroundTasks()

    async def on_start(self) -> None:
        """Listen, and watch."""
        await self._server.start(self._health.pages())
        self._background.start("log of readiness", self._health.log_when_not_ready)
        self._background.start("metrics of readiness", partial(self._health.report_levels, self._telemetry.set_levels))

    async def on_stop(self) -> None:
        """Close the port."""
        await self._background.stop()
        await self._server.stop()


_Probes.logger = logging.getLogger("mode")  # Mode logs each step of a service through the logger of its module
