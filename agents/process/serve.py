"""Starting `sluice serve`: load the model, judge a first query, open the port, work until a signal.

    SIGTERM, SIGINT, SIGHUP, SIGQUIT   answer what is in flight, refuse new requests with 503, exit with 0
    SIGUSR1                            log one line of state

Everything else is checked before the model is loaded, because that takes longest.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import orjson
import uvloop

from sluicegate.agents.deciding.batch_observer import batch_observers
from sluicegate.agents.deciding.live_models import LiveModels, LoadedModels, load_models
from sluicegate.agents.deciding.second_report import observe_second
from sluicegate.agents.formatting.formatting import LoadedFormatting
from sluicegate.agents.http.access import Access
from sluicegate.agents.http.checks import check_settings
from sluicegate.agents.http.keys import KeyFile
from sluicegate.agents.http.observing import Page
from sluicegate.agents.http.server import listen
from sluicegate.agents.http.service import HttpService
from sluicegate.agents.process.api_server import ApiServer
from sluicegate.agents.process.garbage_collector import freeze_long_lived_objects
from sluicegate.agents.process.health import POLICY_REMEDY, STOPPING, TASK_REMEDY, sentence_of
from sluicegate.agents.process.signals import ignore_other_signals, install_handlers
from sluicegate.agents.process.status import status_keys, status_page
from sluicegate.agents.settings import Settings, warnings_about
from sluicegate.agents.status.reporter import READY
from sluicegate.agents.status.snapshot import Notice
from sluicegate.agents.status.standing import Standing
from sluicegate.agents.telemetry import EventSpan, PrometheusPage, Telemetry
from sluicegate.agents.telemetry.logs import configure_logging
from sluicegate.agents.time_budget import TELEMETRY_S
from sluicegate.schemas.version import VERSION

logger = logging.getLogger(__name__)


def run_server(settings: Settings, load: Callable[[Settings], LoadedModels] = load_models) -> None:
    """Serve the HTTP API until a signal.

    Raises:
        ConfigurationError: the port is taken, the API keys cannot be read, the ledger cannot be opened, or a model or
            a schema cannot be served.
        SpoolFailed: the ledger is a spool that cannot be opened, or that another process has open.
    """
    configure_logging(settings.log_level)
    ignore_other_signals()
    access = Access(settings)
    listen(settings.http_host, settings.http_port).close()
    check_settings(settings)
    keys = status_keys(settings)
    formatting = LoadedFormatting.load(settings)
    loaded = load(settings)
    for warning in warnings_about(settings):
        logger.warning("%s", warning)
    metrics = PrometheusPage()
    telemetry = Telemetry.start(
        otlp_endpoint=settings.otlp_endpoint,
        sample_ratio=settings.trace_sample_ratio,
        slow_after_ms=settings.trace_slow_ms,
        service_version=VERSION,
        instance_id=socket.gethostname(),
        prometheus=metrics,
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, access, keys, loaded, formatting, telemetry, metrics))
    finally:
        logger.info("stopped")
        telemetry.shutdown(TELEMETRY_S)
        logging.shutdown()


async def _serve(
    settings: Settings,
    access: Access,
    keys: KeyFile | None,
    loaded: LoadedModels,
    formatting: LoadedFormatting,
    telemetry: Telemetry,
    metrics: PrometheusPage,
) -> None:
    async with LiveModels.running(loaded, settings, batch_observers(telemetry)) as models:
        title = f"HTTP API on {socket.gethostname()}"
        status = status_page(settings, keys, title, metrics, telemetry, lambda: _standing(service))
        server = ApiServer(settings, access, telemetry, lambda: models, formatting, metrics, status=status)
        service = server.service
        telemetry.observe(queue_depth=lambda: models.queue_depth, events_in_flight=lambda: service.open_requests)
        observe_second(telemetry, models.second)
        stop_asked = asyncio.Event()

        def stop(received: signal.Signals) -> None:
            logger.info("%s received: %d requests are open", received.name, service.open_requests)
            stop_asked.set()

        install_handlers(asyncio.get_running_loop(), stop, lambda: _log_state(service))
        await _judge_first_query(models)
        freeze_long_lived_objects()
        await server.start(_pages(service))
        logger.info(
            "serving %s on http://%s:%d; API keys: %s",
            models.description,
            settings.http_host,
            settings.http_port,
            ", ".join(access.key_file.keys.names) if access.key_file else "not asked for",
        )
        await _first_of(server.ended(), stop_asked.wait())
        await server.stop()


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait for the first of `waits`, and cancel the others. Raises what the first one raised."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    for task in done:
        task.result()


async def _judge_first_query(models: LiveModels[EventSpan]) -> None:
    """Decide one query from end to end, so that no client waits for what is only done once.

    It is misspelt and not plain, so that it takes every step.
    """
    silent = Telemetry.off()
    with silent.requests.span(silent.extract(()), method="POST", route="warm-up") as span:
        await models.in_use.decide("chep ruñing \u200bshoes", span)


def _pages(service: HttpService) -> Mapping[str, Page]:
    def alive() -> tuple[int, bytes]:
        return 200, _document(service, [])

    def ready() -> tuple[int, bytes]:
        reasons = ["stopping"] if service.stopping else []
        return (503 if reasons else 200), _document(service, reasons)

    return {"/livez": alive, "/healthz": alive, "/readyz": ready}


def _standing(service: HttpService) -> Standing:
    models = service.models
    failing = [*models.warnings(), *models.problems()]
    return Standing(
        state=STOPPING.capitalize() if service.stopping else READY,
        notices=(
            *(Notice(sentence_of(problem), TASK_REMEDY, serious=True) for problem in failing),
            *(Notice(sentence_of(warning), POLICY_REMEDY) for warning in models.policies.warnings()),
        ),
        models=models.description,
        policy=models.policies.description or "the model's thresholds",
        in_flight=service.open_requests,
        model_busy_s=models.busy_s,
    )


def _document(service: HttpService, problems: list[str]) -> bytes:
    models = service.models
    warnings = [*models.warnings(), *models.problems(), *models.policies.warnings()]
    return orjson.dumps(
        {
            "status": "; ".join(problems) or "ok",
            "in_flight": service.open_requests,
            "models": models.description,
            "policy": models.policies.description,
            "version": VERSION,
            **({"warnings": warnings} if warnings else {}),
        }
    )


def _log_state(service: HttpService) -> None:
    logger.info("state: %d requests open; models: %s", service.open_requests, service.models.description)
