"""The collector, Jaeger and Prometheus of docker-compose.yml, as processes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from sluicegate.agents.local.child_process import start_child, stop_child
from tests.support.compose import Compose
from tests.support.prometheus import Prometheus
from tests.support.telemetry_tools import COLLECTOR, JAEGER
from tests.support.worker_process import wait_for

_START_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 1.0
"""Nothing of them is kept, so they need not end in peace."""

_client = httpx.Client(timeout=10, verify=False)  # loopback and plain HTTP: no certificates to read


@dataclass(frozen=True)
class TelemetryStack:
    """The running services."""

    compose: Compose
    prometheus: Prometheus

    @property
    def otlp_endpoint(self) -> str:
        """Where the collector takes OTLP."""
        return f"http://{self.compose.address('collector')}:4318"

    @property
    def jaeger_url(self) -> str:
        """Jaeger's query API."""
        return f"http://{self.compose.address('jaeger')}:16686"


@contextmanager
def telemetry_stack(servers: Mapping[str, str], folder: Path) -> Iterator[TelemetryStack]:
    """The services while the block lasts; `servers` as in `Compose`. Their files and logs are in `folder`."""
    compose = Compose(servers)
    jaeger, collector = compose.address("jaeger"), compose.address("collector")
    config = folder / "collector.yaml"
    config.write_text(compose.configuration("collector", "/etc/otelcol-contrib/config.yaml"))
    (folder / "alerts.yaml").write_text(compose.configuration("prometheus", "/etc/prometheus/alerts.yaml"))
    with ExitStack() as stack:
        # Compose gives Jaeger no configuration, and its image no more than JAEGER_LISTEN_HOST. The query API listens
        # everywhere whatever that is.
        listen = [f"--set=extensions.jaeger_query.{kind}.endpoint={jaeger}:{port}" for kind, port in _QUERY_PORTS]
        stack.enter_context(
            _running(["/usr/bin/env", f"JAEGER_LISTEN_HOST={jaeger}", JAEGER, *listen], folder / "jaeger.log")
        )
        stack.enter_context(_running([COLLECTOR, f"--config={config}"], folder / "collector.log"))
        _await(f"http://{jaeger}:16686/api/services", folder / "jaeger.log")
        _await(f"http://{collector}:9464/metrics", folder / "collector.log")
        prometheus = Prometheus(compose.configuration("prometheus", "/etc/prometheus/prometheus.yml"), folder)
        yield TelemetryStack(compose, stack.enter_context(prometheus))


_QUERY_PORTS: Final = (("http", 16686), ("grpc", 16685))


@contextmanager
def _running(command: Sequence[str | Path], log: Path) -> Iterator[None]:
    process = start_child(command, log)
    try:
        yield
    finally:
        stop_child(process, _STOP_TIMEOUT_S)


def _await(url: str, log: Path) -> None:
    def answers() -> bool:
        try:
            return _client.get(url).is_success
        except httpx.TransportError:
            return False

    try:
        wait_for(answers, _START_TIMEOUT_S, f"{url} does not answer")
    except AssertionError as error:
        raise AssertionError(f"{error}:\n{log.read_text(errors='replace')[-4000:]}") from None
