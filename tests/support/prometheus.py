"""A real Prometheus for the tests: Debian's package `prometheus`, which brings promtool too."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx
import msgspec
import yaml

from sluicegate.agents.local.child_process import start_child, stop_child
from tests.support.ports import free_port
from tests.support.required import give_up
from tests.support.worker_process import wait_for

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0

_client = httpx.Client(timeout=10, verify=False)  # loopback and plain HTTP: no certificates to read


def require_prometheus() -> None:
    """Skip the test where Prometheus is missing, or fail it if REQUIRE_PROMETHEUS is 1, as in CI."""
    missing = [program for program in ("prometheus", "promtool") if shutil.which(program) is None]
    if missing:
        give_up("REQUIRE_PROMETHEUS", f"{' and '.join(missing)} not installed: apt-get install prometheus")


def promtool(*arguments: str | Path, folder: Path) -> None:
    """Run promtool in `folder`; what it prints is the failure if it does not agree."""
    done = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@dataclass(frozen=True)
class Sample:
    """A series at one moment; its name is the label `__name__`, if the query keeps it."""

    labels: Mapping[str, str]
    value: float


class _Series(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


class _Vector(msgspec.Struct):
    result: list[_Series]


class _Alert(msgspec.Struct):
    labels: dict[str, str]
    annotations: dict[str, str]
    state: str


class _Alerts(msgspec.Struct):
    alerts: list[_Alert]


class _QueryAnswer(msgspec.Struct):
    data: _Vector


class _AlertsAnswer(msgspec.Struct):
    data: _Alerts


def scraping(targets: Sequence[str], *, job: str = "sluicegate", rules: Path | None = None, every: str = "1s") -> str:
    """A configuration that scrapes `targets`, each "host:port", and evaluates the rules in a file."""
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": every, "evaluation_interval": every},
            "rule_files": [str(rules)] if rules else [],
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": list(targets)}]}],
        }
    )


class Prometheus:
    """A server on a free loopback port, with its data in `folder`, for as long as the `with` block lasts.

    `config` is the text of its configuration; relative paths in it count from `folder`. Ask `require_prometheus` first.
    """

    def __init__(self, config: str, folder: Path) -> None:
        self._config: Final = config
        self._folder: Final = folder
        self.port: Final = free_port()

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        file, log = self._folder / "prometheus.yml", self._folder / "prometheus.log"
        file.write_text(self._config)
        self._process = start_child(
            [
                "prometheus",
                f"--config.file={file}",
                f"--storage.tsdb.path={self._folder / 'prometheus-data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=warn",
            ],
            log,
        )
        try:
            wait_for(lambda: self._ready(log), START_TIMEOUT_S, "Prometheus does not start")
        except BaseException:
            stop_child(self._process, STOP_TIMEOUT_S)
            raise
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        stop_child(self._process, STOP_TIMEOUT_S)

    def query(self, expr: str) -> list[Sample]:
        """The series of an instant query, now. Fails with Prometheus' own words if the query is wrong."""
        answer = _client.get(f"{self.url}/api/v1/query", params={"query": expr})
        assert answer.is_success, f"{expr}: {answer.text}"
        found = msgspec.json.decode(answer.content, type=_QueryAnswer).data.result
        return [Sample(series.metric, float(series.value[1])) for series in found]

    def firing(self) -> dict[str, list[Mapping[str, str]]]:
        """The alerts that fire now: the labels of each, by their names."""
        answer = _client.get(f"{self.url}/api/v1/alerts").raise_for_status()
        found: dict[str, list[Mapping[str, str]]] = {}
        for alert in msgspec.json.decode(answer.content, type=_AlertsAnswer).data.alerts:
            if alert.state == "firing":
                found.setdefault(alert.labels["alertname"], []).append(alert.labels)
        return found

    def _ready(self, log: Path) -> bool:
        assert self._process.poll() is None, f"Prometheus ended:\n{log.read_text()}"
        try:
            return _client.get(f"{self.url}/-/ready").is_success
        except httpx.TransportError:
            return False
