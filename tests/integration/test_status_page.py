"""The status page of a real worker says in words what is wrong, within seconds."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson
import pytest
from confluent_kafka import Producer

from sluicegate.agents.local.child_process import start_worker, stop_child
from sluicegate.agents.local.embedded_broker import EmbeddedBroker
from tests.support.ports import free_port
from tests.support.status_stream import watching
from tests.support.worker_process import Stream, fresh_stream, get_probe, run_worker, wait_for

WITHIN_S = 5


@contextmanager
def obedient_worker(stream: Stream, log: Path) -> Iterator[int]:
    """A worker whose model does what the queries say, and its port."""
    port = free_port()
    environment = {
        **stream.environment,
        "SLUICE_HTTP_PORT": str(port),
        "SLUICE_BATCH_SIZE": "1",
        "SLUICE_CACHE_SIZE": "0",
        "SLUICE_WINDOW": "20",
        "SLUICE_DEADLINE_MS": "30000",
    }
    worker = start_worker(environment, log, ("tests.support.obedient_worker",))

    def ready() -> bool:
        assert worker.poll() is None, log.read_text()[-2000:]
        try:
            return get_probe(port, "readyz").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_for(ready, 90, "the worker is not ready")
        yield port
    finally:
        stop_child(worker, 0.1)


def seconds_in(notice: str) -> float:
    found = re.search(r"for (\d+) s", notice)
    assert found, notice
    return float(found[1])


@pytest.mark.xdist_group("timing")
def test_a_growing_lag_a_hung_model_and_a_killed_broker_are_named_within_seconds(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker:
        stream = fresh_stream(broker.bootstrap_servers, "status page")
        with obedient_worker(stream, tmp_path / "worker.log") as port, watching(port) as page:
            producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 5})
            stop = threading.Event()

            def produce(queries: Iterator[str]) -> None:
                for query in queries:
                    producer.produce(stream.topics["raw"], orjson.dumps({"query": query}))
                    producer.poll(0)
                producer.flush(10)

            def slow_ones() -> Iterator[str]:
                while not stop.wait(0.005):
                    yield "slow red shoes"

            load = threading.Thread(target=produce, args=[slow_ones()])
            load.start()
            page.wait_for("The lag grows by", WITHIN_S)
            stop.set()
            load.join()

            produce(iter(["hang red shoes"]))
            for partition in range(4):
                producer.produce(stream.topics["raw"], orjson.dumps({"query": "hang"}), partition=partition)
            producer.flush(10)
            assert seconds_in(page.wait_for("The model has not answered for")) <= WITHIN_S

            assert broker._process
            broker._process.kill()
            assert seconds_in(page.wait_for("Kafka has not answered for")) <= WITHIN_S
            assert "when Kafka last answered" in page.wait_for_figure("Lag", "unknown")


def test_a_worker_listens_on_one_port_and_serves_no_page_of_faust(stream: Stream, tmp_path: Path) -> None:
    with obedient_worker(stream, tmp_path / "worker.log") as port:
        assert "<h1>Sluicegate</h1>" in httpx.get(f"http://127.0.0.1:{port}/", verify=False).text
        for path in ("/graph/", "/graph", "/stats/", "/router/", "/table/", "/node/", "/production_index/", "/docs"):
            assert httpx.get(f"http://127.0.0.1:{port}{path}", verify=False).status_code == 404
        [pid] = [int(each.parent.name) for each in Path("/proc").glob("[0-9]*/environ") if listens_with(each, port)]
        assert listening_ports(pid) == {port}


@pytest.mark.parametrize("agent", ["format", "review"])
def test_the_other_agents_have_the_page_with_what_applies_to_them(stream: Stream, tmp_path: Path, agent: str) -> None:
    of_agent = {"format": stream.of_format_agent, "review": stream.of_review_agent}[agent]()
    reviewers = {"reviewers": "people", "review_queue": tmp_path / "queue"}
    with run_worker(of_agent, tmp_path, **(reviewers if agent == "review" else {})) as worker:
        wait_for(lambda: worker.readiness()[0] == 200, 90, "the worker is not ready")
        of_agent.produce([(None, b"{", [])])
        of_agent.await_commits()

        def page() -> str:
            return httpx.get(f"http://127.0.0.1:{worker.http_port}/", verify=False).text

        wait_for(lambda: "ContractError" in page(), 20, "the dead letter is not on the page")
        assert f"worker of {of_agent.topics[of_agent.input]} on" in page()
        assert ("With people" in page()) == (agent == "review")


def listens_with(environ: Path, port: int) -> bool:
    try:
        return f"SLUICE_HTTP_PORT={port}\0".encode() in environ.read_bytes()
    except OSError:
        return False


def listening_ports(pid: int) -> set[int]:
    """The TCP ports on which a process listens."""
    inodes = set()
    for opened in Path(f"/proc/{pid}/fd").iterdir():
        if opened.exists() or opened.is_symlink():
            target = str(opened.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports
