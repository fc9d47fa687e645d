"""Models exchanged and tried in a running worker, by `sluice models`, on a real broker."""

import random
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from sluicegate.models.artifacts.registry import Registry
from sluicegate.models.artifacts.revision import copy_with_policy
from sluicegate.models.data.products import product_query
from sluicegate.models.inference.labels import Category
from sluicegate.schemas.events import Threshold
from tests.support.accounts import assert_accounted_for, assert_contracts_hold
from tests.support.brokers import Broker, TopicMaker
from tests.support.command import sluice
from tests.support.compiled import compiled_twins
from tests.support.kafka_client import Record
from tests.support.worker_process import make_stream, run_worker, wait_for


@pytest.fixture(scope="module")
def two_models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return compiled_twins(tmp_path_factory.mktemp("models"))


def queries(numbers: Sequence[int]) -> list[Record]:
    rng = random.Random(numbers[0])
    return [
        (None, orjson.dumps({"query": product_query(rng).text, "event_id": f"event-{number}"}), [])
        for number in numbers
    ]


def models(command: str, *arguments: object, registry: Path) -> None:
    finished = sluice("models", command, *map(str, arguments), "--registry", registry)
    assert finished.returncode == 0, finished.stderr


def test_models_are_exchanged_in_mid_stream_and_no_event_is_lost(
    broker: Broker, topics: TopicMaker, tmp_path: Path, two_models: tuple[Path, Path]
) -> None:
    first, second = two_models
    registry = tmp_path / "registry"
    models("use", first, registry=registry)
    stream = make_stream(broker, topics)
    with run_worker(stream, tmp_path, model=registry) as worker:
        stream.produce(queries(range(600)))
        wait_for(lambda: stream.ledger_count() > 20, 60, "the worker does not work")
        models("use", second, registry=registry)
        wait_for(lambda: "serving second@" in worker.log, 30, "the worker does not take the new model")
        assert worker.health()["models"].startswith("second@")
        stream.produce(queries(range(600, 900)))
        stream.await_commits()
        worker.stop()
    inputs, outputs = stream.inputs(), stream.outputs()
    assert_accounted_for(inputs, outputs)
    assert_contracts_hold(outputs)
    ledgers = [output.event for output in outputs if output.name == "ledger"]
    assert {ledger["model_version"].split("@")[0] for ledger in ledgers} == {"first-checkpoint", "second"}
    codes = {code for ledger in ledgers for code in ledger["decision"]["reason_codes"]}
    assert not {code for code in codes if code.startswith("degraded")}


def test_a_shadow_is_compared_and_a_canary_decides_its_share(
    broker: Broker, topics: TopicMaker, tmp_path: Path, two_models: tuple[Path, Path]
) -> None:
    first, second = two_models
    registry = tmp_path / "registry"
    models("use", first, registry=registry)
    models("shadow", second, "--share", 0.5, registry=registry)
    stream = make_stream(broker, topics)
    with run_worker(stream, tmp_path, model=registry) as worker:
        stream.produce(queries(range(200)))
        wait_for(lambda: stream.ledger_count() > 270, 60, "the shadow does not decide")
        models("canary", second, "--share", 0.5, registry=registry)
        wait_for(lambda: "canary second@" in worker.log, 30, "the worker does not begin the canary")
        shadowed = stream.ledger_count()
        stream.produce(queries(range(200, 400)))
        stream.await_commits()
        worker.stop()
    outputs = stream.outputs()
    ledgers = [output.event for output in outputs if output.name == "ledger"]
    shadows = [ledger for ledger in ledgers if ledger["shadow"]]
    assert len(shadows) == shadowed - 200
    assert all(ledger["model_version"].startswith("second@") and not ledger["outputs"] for ledger in shadows)
    canary = {
        ledger["event_id"]
        for ledger in ledgers
        if not ledger["shadow"] and ledger["model_version"].startswith("second@")
    }
    assert canary
    assert canary <= {f"event-{number}" for number in range(200, 400)}
    assert 60 < len(canary) < 140

    lines = tmp_path / "ledger.jsonl"
    lines.write_bytes(b"\n".join(orjson.dumps({"topic": "ledger", "value": ledger}) for ledger in ledgers))
    finished = sluice("eval", "shadow", lines, "--json", tmp_path / "shadow.json")
    assert finished.returncode == 0, finished.stderr
    systems = orjson.loads((tmp_path / "shadow.json").read_bytes())["systems"]
    in_use, candidate = systems.values()
    assert in_use["events"] == candidate["events"] == len(shadows)
    assert candidate["agreement"] == {
        "verdicts": 1,
        "intents": 1,
        "answers": 1,
        "changes": {},
        "examples": {},
        "categories": {},
    }


def test_the_second_model_is_tried_on_a_share_and_exchanged_while_it_is_asked(
    broker: Broker, topics: TopicMaker, tmp_path: Path, two_models: tuple[Path, Path]
) -> None:
    first, second = two_models
    registry = tmp_path / "registry"
    models("use", first, registry=registry)
    stream = make_stream(broker, topics)
    review_all = orjson.dumps({category.value: {"allow": 0.0, "block": 1.1} for category in Category}).decode()
    patient = {"second_deadline_ms": 20_000, "second_queue_size": 1_000}
    with run_worker(stream, tmp_path, model=first, second_model=registry, thresholds=review_all, **patient) as worker:
        stream.produce(queries(range(200)))
        wait_for(lambda: stream.ledger_count() > 20, 60, "the worker does not work")
        models("canary", second, "--share", 0.5, registry=registry)
        wait_for(lambda: "canary second@" in worker.log, 30, "the worker does not begin the canary")
        stream.produce(queries(range(200, 400)))
        wait_for(lambda: stream.ledger_count() > 220, 60, "the canary does not decide")
        models("use", second, registry=registry)
        wait_for(lambda: "second model second@" in worker.health()["models"], 30, "the second model is not exchanged")
        stream.produce(queries(range(400, 500)))
        stream.await_commits()
        worker.stop()
    outputs = stream.outputs()
    assert_accounted_for(stream.inputs(), outputs)
    assert_contracts_hold(outputs)
    ledgers = {output.event_id: output.event for output in outputs if output.name == "ledger"}
    opinions = {event_id: ledger["decision"]["second"] for event_id, ledger in ledgers.items()}
    assert {opinion["outcome"] for opinion in opinions.values()} == {"answered"}
    assert len({ledger["model_version"] for ledger in ledgers.values()}) == 1, "the first model stays"
    by = {event_id: opinion["model_version"].split("@")[0] for event_id, opinion in opinions.items()}
    assert set(by.values()) == {"first-checkpoint", "second"}
    assert sum(by[f"event-{number}"] == "second" for number in range(200, 400)) > 40
    assert {by[f"event-{number}"] for number in range(400, 500)} == {"second"}


def test_a_damaged_candidate_is_reported_by_the_probes_and_a_new_policy_is_served_all_the_same(
    broker: Broker, topics: TopicMaker, tmp_path: Path, two_models: tuple[Path, Path]
) -> None:
    first, second = two_models
    registry = Registry(tmp_path / "registry")
    registry.use(str(first))
    stream = make_stream(broker, topics)
    with run_worker(stream, tmp_path, model=registry.folder) as worker:
        stream.produce(queries(range(50)))
        wait_for(lambda: stream.ledger_count() >= 50, 60, "the worker does not work")
        candidate = registry.try_out(str(second), "canary", 0.5)
        (registry.folder / candidate / "model.bin").write_bytes(b"damaged")
        wait_for(lambda: f"refused {candidate}" in worker.health()["models"], 30, "the refusal is not reported")
        stricter = tmp_path / "stricter"
        copy_with_policy(first, stricter, 2.0, {Category.SPAM: Threshold(allow=0.0, block=1.1)})
        version = registry.use(str(stricter))
        wait_for(lambda: worker.health()["models"].startswith(version), 30, "the new policy is not served")
        stream.produce(queries(range(50, 100)))
        stream.await_commits()
        worker.stop()
    outputs = stream.outputs()
    assert_accounted_for(stream.inputs(), outputs)
    ledgers = {output.event_id: output.event for output in outputs if output.name == "ledger"}
    assert {ledgers[f"event-{number}"]["model_version"] for number in range(50, 100)} == {version}
    assert ledgers["event-99"]["decision"]["thresholds"]["spam"]["allow"] == 0
