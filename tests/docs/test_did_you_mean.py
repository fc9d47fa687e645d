"""The search service asks a real gate over HTTP, and searches without it when it is away."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from sluicegate.agents.local.child_process import start_child, stop_child
from tests.support.browser import browser
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
            with browser() as chromium:
                chromium.look(f"{service}/?q=wireless+headphons<b>")
                shows = "return document.body.innerText"
                wait_for(lambda: chromium.run("return document.querySelector('li') !== null"), 60, "no products")
                assert "Results for wireless headphones:" in chromium.run(shows)
                assert chromium.run("return document.querySelector('#products').innerText") == "wireless headphones"
                assert [said for said in chromium.complaints() if "favicon" not in said] == []
        away = search("wireless headphones")
        assert (away["checked"], away["products"]) == (False, ["wireless headphones"])
