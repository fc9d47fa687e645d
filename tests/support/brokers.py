"""The brokers that the integration tests share: one of each kind for the whole run, however many processes run it.

pytest-xdist runs the tests in several processes. The first that needs a broker starts it and writes its address to a
folder that all of them share; the others read it. A process that uses the broker holds a shared lock until it ends, and
the kernel releases the lock of a process that crashes. The process that started the broker stops it when nobody else
holds the lock.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, TypeAlias

from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.local.embedded_broker import EmbeddedBroker
from tests.support.kafka_cluster import ApacheKafka, available

BrokerKind: TypeAlias = Literal["embedded", "apache"]

TopicMaker: TypeAlias = Callable[..., str]
"""`topics("recall", partitions=4, config={})` makes a topic and returns its name, which no other test has."""


class NoBroker(Exception):
    """This kind of broker cannot run here; the message says why."""


@dataclass(frozen=True)
class Broker:
    """A running broker."""

    bootstrap_servers: str
    kind: BrokerKind

    @property
    def connection(self) -> Connection:
        """For our own clients."""
        return Connection.plaintext(self.bootstrap_servers)


@contextmanager
def shared_broker(kind: BrokerKind, folder: Path) -> Iterator[Broker]:
    """The run's broker of this kind; `folder` is the same for all processes of the run, and only theirs.

    Raises NoBroker when it cannot run here, unless REQUIRE_APACHE_KAFKA or CI is set: then a failed start is an error.
    """
    address = folder / f"{kind}.address"
    with ExitStack() as stack:
        users = stack.enter_context((folder / f"{kind}.users").open("w"))
        with _locked(folder / f"{kind}.start"):
            if not address.exists():
                address.write_text(_started(kind, stack).bootstrap_servers)
                stack.callback(_await_last_user, users, folder / f"{kind}.start", address)
            fcntl.flock(users, fcntl.LOCK_SH)
        yield Broker(address.read_text(), kind)


def _started(kind: BrokerKind, stack: ExitStack) -> EmbeddedBroker | ApacheKafka:
    if kind == "embedded":
        return stack.enter_context(EmbeddedBroker())
    if reason := available():
        raise NoBroker(reason)
    try:
        return stack.enter_context(ApacheKafka())
    except (RuntimeError, OSError) as error:
        if "CI" in os.environ or os.environ.get("REQUIRE_APACHE_KAFKA") == "1":
            raise
        raise NoBroker(str(error)) from error


def _await_last_user(users: IO[str], start: Path, address: Path) -> None:
    """Return when no other process uses the broker; one that comes later will start its own."""
    while True:
        with _locked(start):
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                address.unlink()
                return
        time.sleep(0.1)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
