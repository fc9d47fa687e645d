"""A real Apache Kafka for the tests: one node in KRaft mode, from the jars that tests/kafka/pom.xml names.

It needs java 17+ and, the first time, Maven; no Docker. The jars stay in .cache/kafka-<version>.
"""

import re
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from agents.local.tethered import start_tethered, stop_tethered

POM = Path(__file__).parent / "kafka" / "pom.xml"
CACHE = Path(__file__).parent.parent / ".cache"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
JAVA = (
    "java",
    *("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"),  # small and quick to start
    "-Djava.net.preferIPv4Stack=true",
)

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
log.dirs={data}
num.partitions=1
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


def available() -> str | None:
    """Return why a real Kafka cannot run here, or None if it can."""
    if shutil.which("java") is None:
        return "java is not installed"
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < 17:
        return "java is older than 17"
    if not _jars().is_dir() and shutil.which("mvn") is None:
        return "mvn is not installed, and Kafka's jars have not been fetched yet"
    return None


class ApacheKafka:
    """One empty broker on free loopback ports, for as long as the `with` block lasts; ask `available()` first."""

    bootstrap_servers: str

    def __enter__(self) -> Self:
        jars = _fetched_jars()
        self._folder = tempfile.TemporaryDirectory(prefix="sluicegate-kafka-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        port, controller_port = _free_ports(2)
        properties = folder / "server.properties"
        properties.write_text(PROPERTIES.format(port=port, controller_port=controller_port, data=folder / "data"))
        java = (*JAVA, "-cp", f"{jars}/*")
        subprocess.run(
            [
                *java,
                "kafka.tools.StorageTool",
                "format",
                "--cluster-id",
                "sluicegate-tests-00001",
                "-c",
                str(properties),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        self._log = folder / "kafka.log"
        self._process = start_tethered([*java, "kafka.Kafka", properties], self._log)
        self.bootstrap_servers = f"127.0.0.1:{port}"
        try:
            self._await_ready(time.monotonic() + START_TIMEOUT_S)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _await_ready(self, deadline: float) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        while True:
            try:
                if admin.list_topics(timeout=1.0).brokers:
                    return
            except KafkaException as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = self._log.read_text(errors="replace")[-4000:]
                    raise RuntimeError(f"Apache Kafka did not start; the end of its log:\n{said}") from error

    def _stop(self) -> None:
        stop_tethered(self._process, STOP_TIMEOUT_S)
        self._folder.cleanup()


def _jars() -> Path:
    version = re.search(r"<kafka.version>(.+)</kafka.version>", POM.read_text())
    assert version is not None, f"{POM} names no kafka.version"
    return CACHE / f"kafka-{version[1]}"


def _fetched_jars() -> Path:
    """Return the folder with Kafka's jars, filled by Maven if it is not there yet; it appears whole or not at all."""
    jars = _jars()
    if not jars.is_dir():
        partial = CACHE / f"fetching-{uuid.uuid4().hex}"
        maven = subprocess.run(
            ["mvn", "-q", "-B", "-f", POM, "dependency:copy-dependencies", f"-DoutputDirectory={partial}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if maven.returncode != 0:
            raise RuntimeError(f"Maven could not fetch Kafka's jars:\n{maven.stdout[-2000:]}")
        partial.rename(jars)
    return jars


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
