"""A Kafka broker without an installation, for ``sluice up`` and for quick tests.

The package `noida-db` contains one small binary that speaks Kafka's protocol. Its data is in a temporary folder, which
is deleted when the broker stops. It is for demos and tests, never for production.
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

    Entering the block waits until the broker answers, a fraction of a second. It raises ConfigurationError if the
    package is not installed, and BrokerUnavailable, with the last line of the broker's log, if there is no answer.
    The broker creates an unknown topic, with one partition, when a client asks for it by name.
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

    @property
    def ended(self) -> bool:
        """Whether its process has ended, though the block has not."""
        return self._process.poll() is not None

    def require_running(self) -> None:
        """Raises BrokerUnavailable, with the last line of the broker's log, if it has ended."""
        if self.ended:
            raise self._failure()

    def _await_ready(self, deadline: float) -> None:
        # The system chooses port 0's number, so no other process can take the port first. The log says which it is.
        while (address := re.search(r"kafka\s+(127\.0\.0\.1:\d+)", self._log_text())) is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise self._failure()
            time.sleep(0.02)
        self.bootstrap_servers = address[1]
        try:
            admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
            admin.list_topics(timeout=max(deadline - time.monotonic(), 1.0))
        except KafkaException as error:
            raise self._failure() from error

    def _log_text(self) -> str:
        return self._log.read_text(errors="replace")

    def _failure(self) -> BrokerUnavailable:
        last = (self._log_text().strip().splitlines() or ["nothing"])[-1]
        ended = self._process.poll()
        what = f"did not answer within {START_TIMEOUT_S:g} s" if ended is None else f"ended with status {ended}"
        return BrokerUnavailable(
            f"the embedded broker {what}. Its last log line: {last}. Try again, or use a real Kafka (docker compose up)"
        )

    def _stop(self) -> None:
        stop_child(self._process, STOP_TIMEOUT_S)
        self._folder.cleanup()


def _binary() -> Path:
    spec = importlib.util.find_spec("noida_db")
    if spec is None or spec.origin is None:
        raise ConfigurationError("the embedded broker is not installed. In a clone: pip install --editable '.[local]'")
    binary = Path(spec.origin).with_name("noida-db")
    if not binary.is_file():
        raise ConfigurationError(
            "the embedded broker does not support this platform. Set SLUICE_BOOTSTRAP_SERVERS to a real Kafka"
        )
    binary.chmod(0o755)  # some installers drop the executable bit
    return binary
