"""A viewer of a status page: its snapshots, as they arrive."""

import threading
import time
from collections.abc import Callable, Iterator
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

        def notice(snapshot: Snapshot) -> str | None:
            found = [each for each in snapshot["notices"] if text in each["what"]]
            assert all(each["remedy"] for each in found)
            return found[0]["what"] if found else None

        return self._wait(notice, f"no {text!r}", timeout_s)

    def wait_for_figure(self, label: str, value: str, timeout_s: float = 60) -> str:
        """What stands under the figure of `label` once its value is `value`."""

        def note(snapshot: Snapshot) -> str | None:
            return next(
                (each["note"] for each in snapshot["figures"] if (each["label"], each["value"]) == (label, value)), None
            )

        return self._wait(note, f"{label} is not {value}", timeout_s)

    def _wait(self, find: Callable[[Snapshot], str | None], problem: str, timeout_s: float) -> str:
        give_up = time.monotonic() + timeout_s
        with self._arrived:
            while (found := find(self._snapshot) if self._snapshot else None) is None:
                assert self._arrived.wait(max(0.0, give_up - time.monotonic())), f"{problem}: {self._snapshot}"
        return found

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
