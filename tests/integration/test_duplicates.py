"""SLUICE_DEDUP_WINDOW in a real worker on a real broker: an event that arrives twice is published once."""

from pathlib import Path

import orjson

from tests.support.accounts import DEMANDED
from tests.support.brokers import Broker, TopicMaker
from tests.support.compiled import compiled_tiny
from tests.support.kafka_client import Record
from tests.support.worker_process import make_stream, run_worker


def query(text: str, event_id: str | None = None) -> Record:
    return None, orjson.dumps({"query": text, "event_id": event_id}), []


def test_a_producers_retries_yield_one_set_of_outputs_and_are_acknowledged(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    model = compiled_tiny(tmp_path / "tiny", "embedded")
    stream = make_stream(broker, topics)
    once = [query(f"red shoes size {number}", f"event-{number}") for number in range(50)]
    with run_worker(stream, tmp_path, model=model, dedup_window=1000) as worker:
        stream.produce([*once, *once[:20]])
        stream.await_commits()
        stream.produce([*once[20:], query("another query", "event-0"), query("red shoes"), query("red shoes")])
        stream.await_commits()
        worker.stop()
    outputs = stream.outputs()
    ledgers = [output.event for output in outputs if output.name == "ledger"]
    assert len(ledgers) == 50 + 3
    assert sum(ledger["event_id"] == "event-0" for ledger in ledgers) == 2
    assert len(outputs) == len(ledgers) + sum(len(DEMANDED[ledger["outcome"]]) for ledger in ledgers)
