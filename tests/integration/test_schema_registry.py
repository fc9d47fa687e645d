"""With a real schema registry, Confluent's own clients read what we write, and we read what they write."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from sluicegate.schemas.export import json_schema
from tests.support.brokers import Broker, TopicMaker
from tests.support.command import rows, sluice
from tests.support.kafka_client import consume_all
from tests.support.replays import on_one_kind, replay, replays
from tests.support.schema_registry import Apicurio
from tests.support.worker_process import OUTPUTS, make_stream, run_worker, wait_for

QUERIES = ["red shoes", "how to forge a passport", "you are such a pathetic loser"]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apicurio]:
    with Apicurio(tmp_path_factory.mktemp("registry") / "log") as registry:
        yield registry


@on_one_kind
def test_confluents_serializers_and_the_agents_understand_each_other(
    registry: Apicurio, broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics, partitions=1)
    settings = {"schema_registry_url": registry.url, "output_format": "confluent"}
    client = SchemaRegistryClient({"url": registry.url})
    serialize: Any = JSONSerializer(orjson.dumps(json_schema("raw")).decode(), client)
    context = SerializationContext(stream.topics["raw"], MessageField.VALUE)
    values = [serialize({"query": query, "event_id": query.split()[-1]}, context) for query in QUERIES]
    stream.produce([(None, value, []) for value in (*values, b"broken")])

    with run_worker(stream, tmp_path, **settings) as worker:
        stream.await_commits()
        worker.stop()

    subjects = client.get_subjects()
    read: dict[str, list[dict[str, Any]]] = {}
    for name in OUTPUTS:
        topic = stream.topics[name]
        assert f"{topic}-value" in subjects
        deserialize: Any = JSONDeserializer(None, schema_registry_client=client)
        messages = consume_all(broker.bootstrap_servers, [topic], lambda found: len(found) >= 1)
        assert {(message.value() or b"")[:1] for message in messages} == {b"\x00"}
        read[name] = [
            deserialize(message.value(), SerializationContext(topic, MessageField.VALUE)) for message in messages
        ]
    assert read["recall"][0]["query"] == "red shoes"
    assert read["blocked"][0]["event_id"] == "passport"
    assert read["review"][0]["event_id"] == "loser"
    assert read["deadletter"][0]["error"].startswith("not JSON")

    environment = {**stream.environment, **{f"SLUICE_{name.upper()}": value for name, value in settings.items()}}
    [tailed] = rows(sluice("tail", "blocked", "--until-now", environment=environment))
    assert tailed["value"] == read["blocked"][0]
    explained = sluice("explain", "passport", environment=environment)
    assert b"block" in explained.stdout, explained.stderr
    replay(stream, "ledger", "--event-id", "passport")
    replay(stream, "deadletters")
    wait_for(lambda: len(replays(stream)) == 2, 30, "not both are replayed")
    assert {message.value() for message in replays(stream)} == {values[1], b"broken"}
    produced = sluice("produce", "blue shoes", environment=environment)
    assert produced.returncode == 0, produced.stderr
    assert deserialize(stream.inputs()[-1].value(), context) == {"query": "blue shoes"}


def test_a_published_schema_is_the_one_in_the_repository(registry: Apicurio) -> None:
    environment = {"SLUICE_SCHEMA_REGISTRY_URL": registry.url}
    first = sluice("schemas", "publish", environment=environment)
    again = sluice("schemas", "publish", environment=environment)
    assert first.returncode == 0, first.stderr
    assert again.stdout == first.stdout
    published = SchemaRegistryClient({"url": registry.url}).get_latest_version("queries.recall-value")
    assert published.schema.schema_type == "JSON"
    assert published.schema.schema_str
    assert orjson.loads(published.schema.schema_str) == json_schema("recall")
