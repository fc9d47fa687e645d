"""A viewer of a status page: its snapshots, as they arrive."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import orjson

Snapshot = dict[str, Any]


class StatusStream:
    """The last snapshot of a stream, which a thread reads."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._arrived = threading.Condition()
        self._snapshot: Snapshot | None = None
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, text: str, timeout_s: float = 60) -> str:
        """The first notice that contains `text`."""
        give_up = time.monotonic() + timeout_s
        with self._arrived:
            while True:
                for notice in self._snapshot["notices"] if self._snapshot else ():
                    if text in notice["what"]:
                        assert notice["remedy"]
                        return str(notice["what"])
                said = self._snapshot and [notice["what"] for notice in self._snapshot["notices"]]
                assert self._arrived.wait(max(0.0, give_up - time.monotonic())), f"no {text!r}, but {said}"

    def _read(self) -> None:
        url = f"http://127.0.0.1:{self._port}/status/events"
        with (
            suppress(httpx.TransportError),  # the worker has ended
            httpx.Client(verify=False, timeout=30) as client,
            client.stream("GET", url) as answer,
        ):
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    with self._arrived:
                        self._snapshot = orjson.loads(line.removeprefix("data: "))
                        self._arrived.notify_all()


@contextmanager
def watching(port: int) -> Iterator[StatusStream]:
    """Watch the page on `port`."""
    yield StatusStream(port)
