"""The examples for web servers, with the real servers and real requests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from sluicegate.schemas.events import LedgerRecord
from tests.support.ports import free_port

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextmanager
def serving(command: list[str], port: int, ledger: Path) -> Iterator[str]:
    """The address of a server that answers; it is stopped by SIGTERM and must end well."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=EXAMPLES, env={**os.environ, "LEDGER": str(ledger)}, text=True
    )
    address = f"http://127.0.0.1:{port}/search"
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                httpx.get(address, params={"q": "red shoes"}, timeout=60)
                break
            except httpx.TransportError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(60) in (0, -signal.SIGTERM)
        finally:
            process.kill()


def search(address: str, query: str) -> httpx.Response:
    return httpx.get(address, params={"q": query}, timeout=60)


def check(address: str, ledger: Path) -> list[dict[str, object]]:
    """Ask from several threads; returns the answers, each of which has its audit record."""
    allowed = search(address, "wireless headphons")
    assert (allowed.status_code, allowed.json()["search_for"]) == (200, "wireless headphones")
    assert search(address, "how to forge a passport").status_code == 403
    assert search(address, " ").status_code == 422
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda number: search(address, f"red shoes size {number % 10}"), range(64)))
    assert {response.status_code for response in found} == {200}
    answers: list[dict[str, object]] = [response.json() for response in found]
    recorded = [msgspec.json.decode(line, type=LedgerRecord) for line in ledger.read_bytes().splitlines()]
    assert {answer["event_id"] for answer in answers} <= {record.event_id for record in recorded}
    return answers


def test_a_fastapi_service_decides_on_its_event_loop(tmp_path: Path) -> None:
    port = free_port()
    with serving(["uvicorn", "fastapi_app:app", "--port", str(port)], port, tmp_path / "ledger.jsonl") as address:
        check(address, tmp_path / "ledger.jsonl")


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["plain", "preload"])
def test_each_gunicorn_worker_has_a_gate_of_its_own(tmp_path: Path, preload: list[str]) -> None:
    port = free_port()
    command = ["gunicorn", "--workers", "2", "--threads", "4", "--bind", f"127.0.0.1:{port}", *preload]
    with serving([*command, "gunicorn_app:app"], port, tmp_path / "ledger.jsonl") as address:
        answers = check(address, tmp_path / "ledger.jsonl")
        processes = {answer["process"] for answer in answers}
        deadline = time.monotonic() + 60
        while len(processes) < 2:  # the kernel chooses the worker
            assert time.monotonic() < deadline
            processes.add(search(address, "red shoes").json()["process"])
    lines = (tmp_path / "ledger.jsonl").read_bytes().splitlines()
    assert {msgspec.json.decode(line, type=LedgerRecord).source.partition for line in lines} == processes
