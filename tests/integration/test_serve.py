"""`sluice serve` as its users run it, and the same API on a worker's port."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
import orjson
import pytest
from mcp.client import Client

from sluicegate.agents.ledger.search import LedgerFile
from sluicegate.schemas.events import LedgerRecord
from tests.support.brokers import Broker, TopicMaker
from tests.support.command import sluice
from tests.support.kafka_client import consume_all
from tests.support.log_hygiene import assert_every_line_is_json
from tests.support.ports import free_port
from tests.support.worker_process import Stream, run_worker, wait_for

UNUSUAL = "zanzibar"
START_S = 120


@contextmanager
def served(log: Path, **settings: object) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """A running `sluice serve` and its port."""
    port = free_port()
    given = {f"SLUICE_{name.upper()}": str(value) for name, value in {"http_port": port, **settings}.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sluicegate", "serve"], env={**os.environ, **given}, stderr=output
        )
    try:
        wait_for(lambda: answers(port, process), START_S, "`sluice serve` does not answer")
        yield process, port
    finally:
        process.kill()
        process.wait()


def answers(port: int, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None
    try:
        return get(port, "/readyz").is_success
    except httpx.TransportError:
        return False


def get(port: int, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=20, verify=False)


def post(port: int, body: object) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{port}/v1/gate", json=body, timeout=20, verify=False)


def status_of(connection: socket.socket) -> bytes:
    return connection.recv(65_536).partition(b"\r\n")[0]


def test_it_answers_at_once_when_its_port_opens_and_a_stop_answers_what_is_open(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with served(log) as (process, port):
        began = time.monotonic()
        assert post(port, {"text": f"{UNUSUAL} shoes"}).json()["answered_by"] == "model"
        assert time.monotonic() - began < 10
        assert 'http_server_request_duration_seconds_count{http_request_method="POST"' in get(port, "/metrics").text
        body = orjson.dumps({"text": f"{UNUSUAL} red shoes"})
        fields = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": len(body)}
        head = "POST /v1/gate HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        with socket.create_connection(("127.0.0.1", port), 20) as opened, socket.socket() as late:
            opened.sendall(head.encode() + b"\r\n" + body[:5])
            wait_for(lambda: get(port, "/readyz").json()["in_flight"] == 1, 20, "the request is not open")
            late.connect(("127.0.0.1", port))
            process.send_signal(signal.SIGTERM)
            wait_for(lambda: get(port, "/readyz").status_code == 503, 20, "it is still ready")
            late.settimeout(20)
            late.sendall(head.encode() + b"\r\n" + body)
            assert status_of(late) == b"HTTP/1.1 503 Service Unavailable"
            opened.sendall(body[5:])
            assert status_of(opened) == b"HTTP/1.1 200 OK"
        assert process.wait(30) == 0
    assert_every_line_is_json(log.read_text())
    assert UNUSUAL not in log.read_text()


async def test_an_assistant_calls_the_tools_on_the_same_port(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with served(log, http_mcp=True, log_level="DEBUG") as (process, port):
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            result = await client.call_tool("rewrite", {"query": f"{UNUSUAL} wireless headphons"})
        assert result.structured_content["lexical"] == f"{UNUSUAL} wireless headphones"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert_every_line_is_json(log.read_text())
    assert UNUSUAL not in log.read_text()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"SLUICE_HTTP_HOST": "0.0.0.0"}, b"needs API keys: `sluice keys add NAME` makes one"),
        ({"SLUICE_HTTP_KEYS": "/nowhere/keys"}, b"cannot read the API keys in /nowhere/keys"),
        ({"SLUICE_HTTP_RATE": "often"}, b"SLUICE_HTTP_RATE: write a number and a time"),
        ({"SLUICE_MODEL": "/nowhere"}, b"/nowhere"),
        ({"SLUICE_HTTP_LEDGER": "ledger.jsonl"}, b"SLUICE_HTTP_LEDGER: write file:PATH, spool:PATH or kafka"),
        ({"SLUICE_HTTP_LEDGER": "file:/nowhere/ledger"}, b"cannot write the ledger /nowhere/ledger"),
    ],
)
def test_what_is_configured_wrong_is_refused_in_one_line(settings: dict[str, str], message: bytes) -> None:
    done = sluice("serve", environment=settings)
    assert (done.returncode, done.stdout) == (78, b"")
    assert message in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_port_that_is_taken_is_refused_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = sluice("serve", "--port", str(port))
    assert (done.returncode, done.stderr.count(b"\n")) == (78, 1)
    assert f"cannot listen on 127.0.0.1:{port}".encode() in done.stderr


def test_a_worker_serves_the_api_on_its_port_when_a_setting_says_so(stream: Stream, tmp_path: Path) -> None:
    with run_worker(stream, tmp_path, http_api=True) as worker:
        wait_for(lambda: worker.readiness()[0] == 200, START_S, "the worker is not ready")
        answer = post(worker.http_port, {"text": "red shoes"})
        assert (answer.status_code, answer.json()["verdict"]) == (200, "allow")
        assert get(worker.http_port, "/livez").json() == worker.health()
        stream.produce([(None, orjson.dumps({"query": "blue shoes"}), [])])
        stream.await_commits()
        assert "sluicegate_verdicts_total" in get(worker.http_port, "/metrics").text
        worker.stop()


def test_a_stop_waits_until_kafka_has_every_audit_record(broker: Broker, topics: TopicMaker, tmp_path: Path) -> None:
    topic = topics("ledger")
    kafka = {"bootstrap_servers": broker.bootstrap_servers, "topic_ledger": topic}
    with served(tmp_path / "log", http_ledger="kafka", **kafka) as (process, port):
        texts = [f"red shoes {number}" for number in range(50)]
        answer = httpx.post(
            f"http://127.0.0.1:{port}/v1/gate/batch", json={"texts": texts}, timeout=60, verify=False
        ).json()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    messages = consume_all(broker.bootstrap_servers, [topic], lambda found: len(found) >= len(texts))
    records = [msgspec.json.decode(message.value() or b"", type=LedgerRecord) for message in messages]
    assert sorted(record.event_id for record in records) == sorted(
        item["answer"]["event_id"] for item in answer["results"]
    )


def test_a_worker_keeps_the_audit_records_of_its_api_where_the_setting_says(stream: Stream, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    with run_worker(stream, tmp_path, http_api=True, http_ledger=f"file:{ledger}") as worker:
        wait_for(lambda: worker.readiness()[0] == 200, START_S, "the worker is not ready")
        event_id = post(worker.http_port, {"text": "red shoes"}).json()["event_id"]
        worker.stop()
    assert LedgerFile(ledger).find(event_id)
