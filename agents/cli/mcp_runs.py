"""What ``sluice mcp`` does: it opens a gate and serves the tools until the client or a signal ends it."""

import asyncio
import logging
import signal
import socket
from pathlib import Path
from typing import Final

from sluicegate import AsyncGate
from sluicegate.agents.cli.protocol_streams import ProtocolStreams
from sluicegate.agents.http.server import HttpServer
from sluicegate.agents.ledger.search import LedgerFile
from sluicegate.agents.ledger.topic_search import LedgerTopic
from sluicegate.agents.mcp.server import LOOPBACK, mcp_application, mcp_server, quiet_library_logs
from sluicegate.agents.mcp.stdio import serve_lines
from sluicegate.agents.mcp.tools import GateTools, Ledger
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry.logs import configure_logging
from sluicegate.schemas.errors import ConfigurationError

logger = logging.getLogger(__name__)

_KAFKA: Final = "kafka"
_STOPS: Final = (signal.SIGTERM, signal.SIGINT)
_HIGHEST_PORT: Final = 65_535


def serve_streams(settings: Settings, model: Path | None, ledger: str | None, streams: ProtocolStreams) -> None:
    """Serve one client over `streams`, until its input ends or a signal comes. What is under way is answered.

    Raises:
        ConfigurationError: the model or a setting is wrong.
        StreamFailed: the ledger cannot be read.
    """
    _configure_logging(settings)
    asyncio.run(_serve_streams(model, _ledger(settings, ledger), streams))


async def _serve_streams(model: Path | None, ledger: Ledger | None, streams: ProtocolStreams) -> None:
    stopping = asyncio.Event()
    for number in _STOPS:
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with AsyncGate(model) as gate:
        try:
            await serve_lines(mcp_server(GateTools(gate, ledger)), streams.lines(), streams.write, stopping)
        except* OSError:
            logger.warning("the client has gone")


def serve_http(settings: Settings, model: Path | None, ledger: str | None, address: str) -> None:
    """Serve streamable HTTP at `address`, until a signal. What is under way is answered.

    Raises:
        ConfigurationError: the model, a setting or the address is wrong, or the port is taken.
        StreamFailed: the ledger cannot be read.
    """
    _configure_logging(settings)
    asyncio.run(_serve_http(settings, model, _ledger(settings, ledger), _listen(address)))


async def _serve_http(settings: Settings, model: Path | None, ledger: Ledger | None, bound: socket.socket) -> None:
    async with AsyncGate(model) as gate:
        application = mcp_application(GateTools(gate, ledger))
        server = HttpServer(application, bound, settings.http_read_timeout_ms / 1000)
        for number in _STOPS:
            asyncio.get_running_loop().add_signal_handler(number, server.stop)
        async with application.router.lifespan_context(application):
            host, port = bound.getsockname()[:2]
            logger.info("serving http://%s:%d/mcp", f"[{host}]" if ":" in host else host, port)
            await server.run_until_stopped()


def _configure_logging(settings: Settings) -> None:
    configure_logging(settings.log_level)
    quiet_library_logs()
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # at lower levels it quotes what clients send


def _ledger(settings: Settings, ledger: str | None) -> Ledger | None:
    if ledger is None:
        return None
    return LedgerTopic(settings) if ledger == _KAFKA else LedgerFile(Path(ledger))


def _listen(address: str) -> socket.socket:
    """A socket that listens on `address`, which must be of the loopback interface: no keys are asked for."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _HIGHEST_PORT:
        raise ConfigurationError(f"--http {address} is not HOST:PORT: write 127.0.0.1:8765")
    if host not in LOOPBACK:
        raise ConfigurationError(f"--http {address} would serve other machines without a key: use 127.0.0.1")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host.strip("[]"), int(port)), family=family)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on --http {address}: {error.strerror or error}") from None
