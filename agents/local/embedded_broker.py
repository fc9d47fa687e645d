"""A Kafka broker for one process and no installation: the quickstart's, and the tests' quick one.

The package `noida-db` ships one small binary that speaks Kafka's protocol. Its data lives in a temporary folder and is
gone when the broker stops: this is for trying things out, never for production.
"""

import importlib.util
import re
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from sluicegate.agents.local.child_process import start_child, stop_child
from sluicegate.schemas.errors import BrokerUnavailable, ConfigurationError

START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 5.0


class EmbeddedBroker:
    """An empty broker on a free loopback port, for as long as the `with` block lasts.

        with EmbeddedBroker() as broker:
            create_topics(Connection.plaintext(broker.bootstrap_servers), ...)

    Entering blocks until the broker answers, a fraction of a second. Raises ConfigurationError when the package is not
    installed and BrokerUnavailable, with the last line of the broker's log, when it does not answer.
    It creates unknown topics, with one partition, when a client asks for them by name.
    """

    bootstrap_servers: str

    def __enter__(self) -> Self:
        binary = _binary()
        self._folder = tempfile.TemporaryDirectory(prefix="sluicegate-broker-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        self._log = folder / "broker.log"
        options = ("--host", "127.0.0.1", "--only", "kafka", "--kafka-port", "0", "--data-dir", folder / "data")
        self._process = start_child((binary, "start", *options), self._log)
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
        # Port 0 lets the system choose, so nobody can take the port between choosing and binding; the log names it.
        while (address := re.search(r"kafka\s+(127\.0\.0\.1:\d+)", self._said())) is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise self._failure()
            time.sleep(0.02)
        self.bootstrap_servers = address[1]
        try:
            admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
            admin.list_topics(timeout=max(deadline - time.monotonic(), 1.0))
        except KafkaException as error:
            raise self._failure() from error

    def _said(self) -> str:
        return self._log.read_text(errors="replace")

    def _failure(self) -> BrokerUnavailable:
        last = (self._said().strip().splitlines() or ["nothing"])[-1]
        ended = self._process.poll()
        what = f"did not answer within {START_TIMEOUT_S:g} s" if ended is None else f"ended with status {ended}"
        return BrokerUnavailable(
            f"the embedded broker {what}, its last words: {last}; use a real Kafka instead (docker compose up)"
        )

    def _stop(self) -> None:
        stop_child(self._process, STOP_TIMEOUT_S)
        self._folder.cleanup()


def _binary() -> Path:
    spec = importlib.util.find_spec("noida_db")
    if spec is None or spec.origin is None:
        raise ConfigurationError("the embedded broker is not installed: pip install 'sluicegate[local]'")
    binary = Path(spec.origin).with_name("noida-db")
    if not binary.is_file():
        raise ConfigurationError("the embedded broker has no binary for this platform: point to a real Kafka instead")
    binary.chmod(0o755)  # some installers drop the executable bit
    return binary
