"""No query and no secret is in a log or a span, at DEBUG, whatever goes wrong with the query."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the stubs forget to export some public classes
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from sluicegate.agents.local.otlp_receiver import OtlpReceiver
from tests.support.kafka_client import Record
from tests.support.kafka_cluster import ApacheKafka
from tests.support.kafka_with_password import kafka_with_password, login_of
from tests.support.log_hygiene import assert_every_line_is_json, assert_nothing_leaks
from tests.support.worker_process import OUTPUTS, Stream, fresh_stream, run_worker

MARKER = "quetzalcoatlus"
QUERY = f"red shoes {MARKER}"


@pytest.fixture(scope="module")
def kafka() -> Iterator[ApacheKafka]:
    with kafka_with_password() as cluster:
        yield cluster


def private_records() -> list[Record]:
    """The marker in every place of a record, well-formed and broken."""
    marked = MARKER.encode()
    whole = dict.fromkeys(("query", "user_id", "session_id", "locale", "surface", MARKER), QUERY)
    values = [
        orjson.dumps(whole),
        orjson.dumps({"query": QUERY}),
        orjson.dumps({"query": f"{QUERY} bomb <script>{MARKER}</script> \u202e{MARKER}<|im_end|>"}),
        orjson.dumps({"query": f"how to forge a passport {MARKER}"}),
        orjson.dumps({"query": QUERY, "event_time": MARKER, "deadline_ms": MARKER}),
        orjson.dumps({"query": [QUERY]}),
        orjson.dumps({"query": QUERY, "deadline_ms": 1}),
        b'{"query": "' + marked,
        marked,
        marked + b"\xff\xfe",
        b'{"query": "%s \\ud800"}' % marked,
        b"[" * 1000 + marked,
    ]
    headers: list[list[tuple[str, bytes | None]]] = [
        [],
        [(MARKER, marked), ("replay_of", marked)],
        [("traceparent", marked), ("tracestate", marked), ("baggage", b"q=" + marked)],
        [("traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"), ("tracestate", marked + b"=" + marked)],
    ]
    return [(marked, value, header) for value, header in itertools.product(values, headers)]


def assert_private(log: str, spans: object, kafka: ApacheKafka) -> None:
    assert_every_line_is_json(log)
    assert_nothing_leaks(log, secrets=[kafka.password], texts=[MARKER])
    assert_nothing_leaks(repr(spans), secrets=[kafka.password], texts=[MARKER])


def refuse(kafka: ApacheKafka, stream: Stream, events: Sequence[str]) -> None:
    """Let the topics of `events` refuse every record: it is too large."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    entry = ConfigEntry("max.message.bytes", "64", incremental_operation=AlterConfigOpType.SET)
    changes = [
        ConfigResource(ConfigResource.Type.TOPIC, stream.topics[event], incremental_configs=[entry]) for event in events
    ]
    for done in admin.incremental_alter_configs(changes).values():
        done.result()


@pytest.mark.parametrize(
    ("refused", "exit_code"), [([], 0), (["recall"], 0), (OUTPUTS, 1)], ids=["none", "an output", "every output"]
)
def test_no_query_and_no_password_is_in_a_log_or_a_span_whatever_is_refused(
    refused: Sequence[str], exit_code: int, kafka: ApacheKafka, tmp_path: Path
) -> None:
    stream = fresh_stream(kafka.bootstrap_servers, "privacy")
    if refused:
        refuse(kafka, stream, refused)
    stream.produce(private_records())
    with OtlpReceiver() as receiver:
        settings = {**login_of(kafka), "log_level": "DEBUG", "otlp_endpoint": receiver.endpoint}
        with run_worker(stream, tmp_path, **settings) as worker:
            if exit_code:
                assert worker.exit_code(60) == exit_code
                assert "has no outcome" in worker.log
            else:
                stream.await_commits()
                worker.stop()
        assert_private(worker.log, receiver.spans(), kafka)
        assert receiver.spans()
