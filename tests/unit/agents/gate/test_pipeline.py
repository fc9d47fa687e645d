"""What happens to an event whose outputs cannot be published. The publisher is a double, which fails on command."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from sluicegate.agents.deciding.live_models import LiveModels, load_models
from sluicegate.agents.gate.pipeline import Pipeline
from sluicegate.agents.kafka.publisher import Delivered
from sluicegate.agents.kafka.record import Record
from sluicegate.agents.outcomes.publishing import OutcomePublisher
from sluicegate.agents.settings import load_settings
from sluicegate.agents.telemetry import EventSpan, Telemetry
from sluicegate.agents.time_budget import PUBLISHES
from sluicegate.models.artifacts.registry import Registry
from sluicegate.models.inference.labels import Category
from sluicegate.schemas.errors import PublishFailed
from sluicegate.schemas.events import Threshold
from tests.support.compiled import compiled_tiny, edit_manifest

RECORD = Record("queries.raw", 0, 7, datetime(2026, 1, 31, tzinfo=UTC), b"key", b'{"query": "red shoes"}', [])


class Broker:
    """A publisher that refuses some topics and keeps what it took.

    As the real one, it takes a record before `publish` returns, and acknowledges it in a later turn of the loop.
    """

    fatal = None

    def __init__(self, refusals: dict[str, list[PublishFailed]]) -> None:
        self.refusals = refusals
        self.taken: list[tuple[str, dict[str, Any]]] = []

    def publish(
        self, topic: str, value: bytes, *, key: bytes | None, headers: Sequence[tuple[str, bytes | None]]
    ) -> asyncio.Future[Delivered]:
        loop = asyncio.get_running_loop()
        delivery: asyncio.Future[Delivered] = loop.create_future()
        if self.refusals.get(topic):
            loop.call_soon(delivery.set_exception, self.refusals[topic].pop(0))
            return delivery
        self.taken.append((topic, orjson.loads(value)))
        loop.call_soon(delivery.set_result, Delivered(topic, 0, len(self.taken)))
        return delivery


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_tiny(tmp_path_factory.mktemp("models") / "tiny", "embedded")


@asynccontextmanager
async def pipeline(model: Path, broker: Broker, **others: object) -> AsyncIterator[Pipeline]:
    settings = load_settings(model=model, **others)
    telemetry = Telemetry.start(otlp_endpoint=None, sample_ratio=1, service_version="0", instance_id="test")
    async with LiveModels[EventSpan].running(load_models(settings), settings) as live_models:
        publisher = OutcomePublisher(settings, broker, telemetry)  # type: ignore[arg-type]  # it only publishes
        yield Pipeline(settings, live_models, publisher, telemetry)


def refused(topics: Sequence[str], *, too_large: bool) -> dict[str, list[PublishFailed]]:
    return {f"queries.{topic}": [PublishFailed("refused", too_large=too_large)] for topic in topics}


OUTPUTS = ("recall", "ranking", "blocked", "review")


async def test_a_dead_letter_that_timed_out_is_not_sent_again_without_its_value(model: Path) -> None:
    broker = Broker(refused([*OUTPUTS, "deadletter"], too_large=False))
    async with pipeline(model, broker) as under_test:
        with pytest.raises(PublishFailed):
            await under_test.process(RECORD)
    assert [topic for topic, _ in broker.taken if topic in ("queries.deadletter", "queries.ledger")] == []


async def test_a_dead_letter_that_is_too_large_points_to_its_record(model: Path) -> None:
    broker = Broker(refused([*OUTPUTS, "deadletter"], too_large=True))
    async with pipeline(model, broker) as under_test:
        await under_test.process(RECORD)
    letter = next(event for topic, event in broker.taken if topic == "queries.deadletter")
    assert letter["value_omitted"] is True
    assert letter["source"] == {"topic": "queries.raw", "partition": 0, "offset": 7}


class WaveCounter(Broker):
    """Counts the publishes that wait for no other: each of them may take the whole time-out."""

    waves = 0
    publishing = 0

    def publish(
        self, topic: str, value: bytes, *, key: bytes | None, headers: Sequence[tuple[str, bytes | None]]
    ) -> asyncio.Future[Delivered]:
        self.waves += not self.publishing
        self.publishing += 1
        delivery = super().publish(topic, value, key=key, headers=headers)
        delivery.add_done_callback(self._ended)
        return delivery

    def _ended(self, _: asyncio.Future[Delivered]) -> None:
        self.publishing -= 1


async def test_an_event_publishes_one_after_the_other_no_more_often_than_its_time_budget_counts(model: Path) -> None:
    broker = WaveCounter(refused([*OUTPUTS, "deadletter"], too_large=True))
    async with pipeline(model, broker) as under_test:
        await under_test.process(RECORD)
    assert broker.waves == PUBLISHES


async def test_outputs_that_are_refused_end_in_a_whole_dead_letter(model: Path) -> None:
    broker = Broker(refused(OUTPUTS, too_large=False))
    async with pipeline(model, broker) as under_test:
        await under_test.process(RECORD)
    letter = next(event for topic, event in broker.taken if topic == "queries.deadletter")
    assert letter["value_omitted"] is False
    assert broker.taken[-1][0] == "queries.ledger"


async def test_a_shadow_decides_for_the_ledger_only(model: Path, tmp_path: Path) -> None:
    candidate = tmp_path / "candidate"
    shutil.copytree(model, candidate)
    edit_manifest(candidate, name="candidate")
    registry = Registry(tmp_path / "registry")
    registry.use(str(model))
    version = registry.try_out(str(candidate), "shadow", 1)
    broker = Broker({})
    async with pipeline(registry.folder, broker) as under_test:
        await under_test.process(RECORD)
        await asyncio.gather(*under_test._shadows)
    outputs = [event for topic, event in broker.taken if topic != "queries.ledger"]
    served, shadow = sorted(
        (event for topic, event in broker.taken if topic == "queries.ledger"), key=lambda record: record["shadow"]
    )
    assert version not in {event["model_version"] for event in outputs}
    assert (served["shadow"], shadow["shadow"], shadow["model_version"]) == (False, True, version)
    assert (shadow["event_id"], shadow["outputs"]) == (served["event_id"], [])
    assert len(served["outputs"]) == len(outputs)


REVIEW_ALL = {category.value: {"allow": 0.0, "block": 1.1} for category in Category}
ALLOW_ALL = {category.value: {"allow": 1.0, "block": 1.1} for category in Category}


def of_ledger(broker: Broker) -> list[dict[str, Any]]:
    records = [event for topic, event in broker.taken if topic == "queries.ledger"]
    return sorted(records, key=lambda record: record["shadow"])


async def test_the_events_and_the_ledger_say_which_model_said_what(model: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    shutil.copytree(model, second)
    edit_manifest(
        second, name="second", thresholds={Category(name): Threshold(**limit) for name, limit in ALLOW_ALL.items()}
    )
    broker = Broker({})
    async with pipeline(model, broker, second_model=second, thresholds=REVIEW_ALL) as under_test:
        await under_test.process(RECORD)
    published = dict(broker.taken)
    [record] = of_ledger(broker)
    opinion = record["decision"]["second"]
    assert {"queries.recall", "queries.ranking", "queries.ledger"} == set(published)
    assert published["queries.recall"]["second_model_version"] == opinion["model_version"] != record["model_version"]
    assert published["queries.ranking"]["second_model_version"] == opinion["model_version"]
    assert (opinion["asked_for"], opinion["outcome"], opinion["decided"]) == ("review", "answered", True)
    assert (opinion["screened_verdict"], opinion["verdict"], record["outcome"]) == ("review", "allow", "allowed")
    assert opinion["thresholds"]["hate"] == {"allow": 1.0, "block": 1.1}
    assert record["decision"]["thresholds"]["hate"] == {"allow": 0.0, "block": 1.1}
    assert opinion["prompt_hash"]
    assert opinion["output_hash"]
    assert record["latency_ms"]["second"] > 0
    assert record["shadow"] is False


async def test_a_sample_for_the_second_model_leaves_a_record_of_its_own(model: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    shutil.copytree(model, second)
    edit_manifest(second, name="second")
    broker = Broker({})
    async with pipeline(model, broker, second_model=second, thresholds=ALLOW_ALL, second_sample=1) as under_test:
        await under_test.process(RECORD)
        await asyncio.gather(*under_test._shadows)
    own, sample = of_ledger(broker)
    assert (own["decision"]["second"], sample["shadow"]) == (None, True)
    assert sample["decision"]["second"]["asked_for"] == "sample"
    assert sample["decision"]["verdict"] == own["decision"]["verdict"] == "allow"


async def test_a_second_model_in_shadow_is_asked_what_the_one_in_use_is_asked(model: Path, tmp_path: Path) -> None:
    candidate = tmp_path / "candidate"
    shutil.copytree(model, candidate)
    edit_manifest(candidate, name="candidate")
    registry = Registry(tmp_path / "registry")
    in_use = registry.use(str(model))
    version = registry.try_out(str(candidate), "shadow", 1)
    broker = Broker({})
    async with pipeline(model, broker, second_model=registry.folder, thresholds=REVIEW_ALL) as under_test:
        await under_test.process(RECORD)
        await asyncio.gather(*under_test._shadows)
    own, shadow = of_ledger(broker)
    assert own["decision"]["second"]["model_version"] == in_use
    assert (shadow["shadow"], shadow["decision"]["second"]["model_version"]) == (True, version)


async def test_a_redelivered_event_publishes_nothing_unless_it_is_a_replay(model: Path) -> None:
    retry = replace(RECORD, offset=8)
    identified = replace(RECORD, value=b'{"query": "red shoes", "event_id": "mine"}')
    replayed = replace(identified, offset=9, headers=[("replay_of", b"queries.raw-0-7")])
    broker = Broker({})
    async with pipeline(model, broker, dedup_window=10) as under_test:
        published = []
        for record in (RECORD, RECORD, retry, identified, replace(identified, offset=8), replayed):
            before = len(broker.taken)
            await under_test.process(record)
            published.append(len(broker.taken) > before)
    assert published == [True, False, True, True, False, True]
    ledger = broker.taken[-1][1]
    assert (ledger["event_id"], ledger["replay_of"]) == ("mine", "queries.raw-0-7")


async def test_a_dead_letter_is_not_remembered(model: Path) -> None:
    broker = Broker(refused(OUTPUTS, too_large=False))
    async with pipeline(model, broker, dedup_window=10) as under_test:
        for _ in range(3):
            await under_test.process(RECORD)
    topics = [topic for topic, _ in broker.taken]
    assert (topics.count("queries.deadletter"), topics.count("queries.ledger")) == (1, 2)
