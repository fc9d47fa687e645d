"""Starting the worker: check everything, join the group, work until a signal."""

import asyncio
import gc
import logging
import socket
from collections.abc import Callable
from typing import Final

import faust
import uvloop

from sluicegate.agents.deciding.live_models import LoadedModels, load_models
from sluicegate.agents.gate.agent import Worker
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.preflight import require_rights, require_topics
from sluicegate.agents.process.watchdog import IDLE_S, StopWatchdog
from sluicegate.agents.settings import Settings, unknown_variables
from sluicegate.agents.telemetry import Telemetry
from sluicegate.agents.telemetry.logs import configure_logging
from sluicegate.schemas.errors import ConfigurationError
from sluicegate.schemas.version import VERSION

logger = logging.getLogger(__name__)

_TOPICS_TIMEOUT_S: Final = 15.0
_TELEMETRY_TIMEOUT_S: Final = 5.0
_COLLECT_EVERY: Final = 10_000
"""Objects that are alive beyond those that were, before the youngest are searched for cycles; Python's own is 700."""


def run_worker(settings: Settings, load: Callable[[Settings], LoadedModels] = load_models) -> None:
    """Check everything, then join the group and work until a signal. Does not return: it ends the process.

    Raises:
        ConfigurationError: a topic is missing, the port is taken, or the model cannot be served.
        BrokerUnavailable: the cluster cannot be reached.
    """
    configure_logging(settings.log_level)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    models = load(settings)
    _require_free_port(settings)
    connection = Connection.of(settings)
    require_topics(connection, settings.topics.values(), _TOPICS_TIMEOUT_S)
    require_rights(
        connection,
        read=settings.topic_raw,
        write=[topic for name, topic in settings.topics.items() if name not in ("raw", "reviewed")],
        group_id=settings.group_id,
    )
    telemetry = Telemetry.start(
        otlp_endpoint=settings.otlp_endpoint,
        sample_ratio=settings.trace_sample_ratio,
        service_version=VERSION,
        instance_id=socket.gethostname(),
    )
    worker = Worker(settings, models, telemetry)
    versions = ", ".join(engine.manifest.model_version for engine in models.engines.values())
    if unknown := unknown_variables():
        logger.warning("there is no setting %s: ignored", ", ".join(unknown))
    logger.info("model %s loaded; joining group %s", versions, settings.group_id)
    try:
        process = faust.Worker(worker.app, quiet=True, override_logging=False, redirect_stdouts=False)
        process.spinner = None  # it would write terminal codes between our lines of JSON
        StopWatchdog(
            stopping=lambda: process.should_stop,
            in_flight=lambda: worker.in_flight,
            longest_s=settings.longest_event_s + IDLE_S,
            flush=lambda: telemetry.shutdown(_TELEMETRY_TIMEOUT_S),
            exit_code=lambda: 1 if worker.app.crashed else 0,
        ).start()
        process.add_future(worker.tell_when_not_ready())
        _spare_the_collector()
        process.execute_from_commandline()
    finally:
        logger.info("stopped")
        telemetry.shutdown(_TELEMETRY_TIMEOUT_S)


def _spare_the_collector() -> None:
    """Keep Python's garbage collector from walking what lives as long as the process: it costs a fifth of each event.

    What an event makes is freed by its reference counts; the collector finds the few cycles among it later.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY)


def _require_free_port(settings: Settings) -> None:
    try:
        with socket.create_server((settings.http_host, settings.http_port)):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {settings.http_host}:{settings.http_port}: {error.strerror or error}; "
            "set SLUICE_HTTP_HOST and SLUICE_HTTP_PORT"
        ) from None
