"""Somebody who watches a worker: Prometheus, which scrapes it every five seconds, and a person with the page open."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx

_SCRAPE_S: Final = 5.0
_AGAIN_S: Final = 0.2
_ACCEPT: Final = {"accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}


@dataclass
class Seen:
    """How often the worker answered."""

    scrapes: int = 0
    snapshots: int = 0


@contextmanager
def observer(url: str) -> Iterator[Seen]:
    """Observe the worker at `url` for as long as the block lasts, whenever it runs."""
    seen, stop = Seen(), threading.Event()

    def scrape() -> None:
        with httpx.Client(verify=False) as client:
            while not stop.is_set():
                try:
                    seen.scrapes += client.get(f"{url}/metrics", headers=_ACCEPT).is_success
                except httpx.TransportError:
                    stop.wait(_AGAIN_S)
                else:
                    stop.wait(_SCRAPE_S)

    def watch() -> None:
        with httpx.Client(verify=False) as client:
            while not stop.wait(_AGAIN_S):
                try:
                    with client.stream("GET", f"{url}/status/events") as answer:
                        for line in answer.iter_lines():
                            seen.snapshots += line.startswith("data: ")
                            if stop.is_set():
                                break
                except httpx.TransportError:
                    continue

    threads = [threading.Thread(target=each, daemon=True) for each in (scrape, watch)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()
