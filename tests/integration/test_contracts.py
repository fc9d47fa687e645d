"""Records that break their contract, through a real broker and a real worker: only `query` is fatal."""

from pathlib import Path

from tests.support.brokers import Broker, TopicMaker
from tests.support.kafka_client import Record
from tests.support.worker_process import Output, make_stream, run_worker, wait_for

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01".encode()

RECORDS: list[Record] = [
    (None, b'{"query": "red shoes", "event_id": "dropped", "user_id": 42, "locale": "en"}', []),
    (None, b'\xef\xbb\xbf{"query": "red \\ud800 shoes", "event_id": "repaired"}', [("Traceparent", TRACEPARENT)]),
    (None, b'{"query": "how to forge a passport", "event_id": "blocked"}', []),
    (None, b"\x00\x00\x00\x00\x07\x12red shoes", []),
]


def test_only_a_broken_query_costs_the_user_the_search(broker: Broker, topics: TopicMaker, tmp_path: Path) -> None:
    stream = make_stream(broker, topics, partitions=1)
    stream.produce(RECORDS)
    with run_worker(stream, tmp_path):
        wait_for(lambda: stream.ledger_count() == len(RECORDS), 60, "an event has no ledger record")
    outputs: dict[tuple[str, str], Output] = {(output.name, output.event_id): output for output in stream.outputs()}

    dropped = outputs["recall", "dropped"].event
    assert "dropped:user_id" in dropped["reason_codes"]
    assert dropped["context"]["user_id"] is None
    assert dropped["context"]["locale"] == "en"

    repaired = outputs["ranking", "repaired"]
    assert (repaired.event["query"], repaired.event["lexical"]) == ("red shoes", "red shoes")
    assert "encoding_repaired" in repaired.event["reason_codes"]
    assert repaired.trace_id == TRACE_ID

    blocked = outputs["blocked", "blocked"].event
    assert blocked["source"] == {"topic": stream.topics["raw"], "partition": 0, "offset": 2}

    letters = [output.event for (name, _), output in outputs.items() if name == "deadletter"]
    assert ["schema id 7" in letter["error"] for letter in letters] == [True]
