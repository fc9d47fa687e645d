"""A real schema registry that speaks Confluent's HTTP API: Apicurio Registry, from Maven Central. It needs Java 17."""

import tarfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from sluicegate.agents.local.child_process import start_child, stop_child
from tests.support.kafka_cluster import available
from tests.support.maven import MavenFailed, fetched
from tests.support.ports import free_port
from tests.support.required import give_up
from tests.support.worker_process import wait_for

VERSION: Final = "3.0.9"
CACHE: Final = Path(__file__).parents[2] / ".cache"
INSTALLED: Final = CACHE / f"apicurio-{VERSION}"
ARTIFACT: Final = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
JAVA: Final = ("java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class Apicurio:
    """An empty registry in memory, for as long as the `with` block lasts. Skips the test where it cannot run."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._port = free_port()

    @property
    def url(self) -> str:
        """Where it speaks Confluent's API."""
        return f"http://127.0.0.1:{self._port}/apis/ccompat/v7"

    def __enter__(self) -> Self:
        jar = _installed() / f"apicurio-registry-app-{VERSION}-runner.jar"
        options = ("-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={self._port}")
        self._process = start_child([*JAVA, *options, "-jar", jar], self._log)
        wait_for(self._answers, 120, "Apicurio does not answer")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop_child(self._process, 5)

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()[-2000:]
        try:
            return httpx.get(f"{self.url}/subjects", timeout=5, verify=False).is_success
        except httpx.TransportError:
            return False


def _installed() -> Path:
    if reason := available():
        give_up("REQUIRE_APACHE_KAFKA", f"no schema registry: {reason}")
    try:
        return fetched(INSTALLED, "dependency:copy", f"-Dartifact={ARTIFACT}", unpack=_unpack)
    except MavenFailed as error:
        give_up("REQUIRE_APACHE_KAFKA", f"no schema registry: Maven could not fetch Apicurio: {error}")


def _unpack(folder: Path) -> None:
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    archive.unlink()
