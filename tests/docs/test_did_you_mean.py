"""The search service asks a real gate over HTTP, and searches without it when it is away."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from sluicegate.agents.local.child_process import start_child, stop_child
from tests.support.ports import free_port
from tests.support.worker_process import wait_for

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextmanager
def running(command: list[str], port: int, ready: str, log: Path) -> Iterator[str]:
    """The address of a server that answers at `ready`."""
    process = start_child([sys.executable, "-m", *command, "--port", str(port)], log)
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(address + ready, timeout=5, verify=False).is_success
        except httpx.TransportError:
            return False

    try:
        wait_for(answers, 120, f"{command[0]} does not answer")
        yield address
    finally:
        stop_child(process, 10)


def seen_in_browser(address: str, folder: Path) -> str:
    """The page as a browser has it after its script ran."""
    browser = shutil.which("chromium")
    if browser is None:
        if os.environ.get("REQUIRE_CHROMIUM") == "1":
            pytest.fail("chromium is not installed: apt-get install chromium")
        pytest.skip("chromium is not installed")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder}",
        "--virtual-time-budget=20000",
    ]
    done = subprocess.run([browser, *options, "--dump-dom", address], capture_output=True, text=True, timeout=120)
    return done.stdout


def test_the_service_corrects_refuses_and_searches_without_the_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate_port, port = free_port(), free_port()
    monkeypatch.setenv("GATE_URL", f"http://127.0.0.1:{gate_port}")
    monkeypatch.chdir(EXAMPLES)
    with running(["uvicorn", "did_you_mean:app"], port, "/", tmp_path / "service.log") as service:

        def search(query: str) -> dict[str, object]:
            found: dict[str, object] = httpx.get(
                f"{service}/search", params={"q": query}, timeout=30, verify=False
            ).json()
            return found

        gate = ["sluicegate", "serve"]
        with running(gate, gate_port, "/readyz", tmp_path / "gate.log"):
            found = search("wireless headphons")
            assert (found["searched_for"], found["products"]) == ("wireless headphones", ["wireless headphones"])
            refused = search("how to forge a passport")
            assert (refused["searched_for"], refused["products"]) == (None, [])
            page = seen_in_browser(f"{service}/?q=wireless+headphons<b>", tmp_path / "browser")
            assert "<li>wireless headphones</li>" in page
            assert "Results for wireless headphones:" in page
        away = search("wireless headphones")
        assert (away["checked"], away["products"]) == (False, ["wireless headphones"])
