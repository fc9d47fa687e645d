"""Policies that change under a running worker, on a real broker: reloaded, refused, tried in shadow, rolled back."""

from pathlib import Path

import orjson
import pytest

from sluicegate.models.inference.labels import Category
from sluicegate.models.policy.policy_file import read_policy
from sluicegate.models.policy.registry import PolicyRegistry
from sluicegate.schemas.events import Threshold
from tests.support.accounts import assert_accounted_for, assert_contracts_hold
from tests.support.brokers import Broker, TopicMaker
from tests.support.command import sluice
from tests.support.compiled import compiled_tiny, edit_manifest
from tests.support.kafka_client import Record
from tests.support.worker_process import Output, Stream, make_stream, run_worker, wait_for

POLICY = '[list.banned]\naction = "block"\ncategory = "spam"\nfile = "banned.txt"\n'


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that allows everything: the policy alone decides."""
    folder = compiled_tiny(tmp_path_factory.mktemp("models") / "tiny", "embedded")
    edit_manifest(folder, thresholds=dict.fromkeys(Category, Threshold(allow=1, block=2)), sum_bound=9.0)
    return folder


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return written(tmp_path / "policy", "first", "casino")


def written(folder: Path, name: str, *terms: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "banned.txt").write_text("\n".join(terms))
    path = folder / "policy.toml"
    path.write_text(f'name = "{name}"\n{POLICY}')
    return path


def queries(first: int, end: int) -> list[Record]:
    """Every second query contains "casino", every third "lottery"."""
    words = ["shoes", "casino", "lottery", "casino", "shoes", "casino lottery"]
    return [
        (None, orjson.dumps({"query": f"{words[n % 6]} number {n}", "event_id": f"event-{n}"}), [])
        for n in range(first, end)
    ]


def is_banned(event_id: str, *words: str) -> bool:
    [(_, value, _)] = queries(int(event_id.removeprefix("event-")), int(event_id.removeprefix("event-")) + 1)
    return any(word in (value or b"").decode() for word in words)


def assert_each_event_names_the_version_that_decided_it(outputs: list[Output], first: str, second: str) -> None:
    """Every output and ledger record of an event has one version, and its verdict is what that version says."""
    versions: dict[str, set[str]] = {}
    for output in outputs:
        versions.setdefault(output.event_id, set()).add(output.event["policy_version"])
    assert all(len(found) == 1 for found in versions.values())
    assert set.union(*versions.values()) == {first, second}
    for output in outputs:
        if output.name == "ledger":
            words = ("casino",) if output.event["policy_version"] == first else ("casino", "lottery")
            by_list = output.event["decision"]["reason"] == "list:banned"
            assert by_list == is_banned(output.event_id, *words)
            assert not by_list or output.event["outcome"] == "blocked"


def test_a_policy_changed_while_events_flow_decides_from_then_on_and_a_broken_one_changes_nothing(
    broker: Broker, topics: TopicMaker, tmp_path: Path, model: Path, policy: Path
) -> None:
    first = read_policy(policy).version
    stream = make_stream(broker, topics)
    with run_worker(stream, tmp_path, model=model, policy=policy) as worker:
        assert f"policy {first}; joining group" in worker.log
        stream.produce(queries(0, 400))
        wait_for(lambda: stream.ledger_count() > 20, 60, "the worker does not work")
        written(policy.parent, "second", "casino", "lottery")
        second = read_policy(policy).version
        wait_for(lambda: worker.health()["policy"] == second, 60, "the new policy is not in use")
        stream.produce(queries(400, 600))
        policy.write_text('name = "third"\n[list.banned]\naction = "deny"\n')
        wait_for(lambda: "warnings" in worker.health(), 60, "the refusal is not reported")
        assert "list.banned.action: 'deny' is unknown" in worker.health()["warnings"][0]
        assert worker.health()["policy"] == second
        assert worker.readiness()[0] == 200
        stream.produce(queries(600, 700))
        stream.await_commits()
        worker.stop()
    outputs = stream.outputs()
    assert_accounted_for(stream.inputs(), outputs)
    assert_contracts_hold(outputs)
    assert_each_event_names_the_version_that_decided_it(outputs, first, second)
    ledgers = {output.event_id: output.event for output in outputs if output.name == "ledger"}
    assert {ledgers[f"event-{number}"]["policy_version"] for number in range(600, 700)} == {second}
    assert worker.log.count(f"deciding by the policy {second} as before") == 1


def test_a_policy_in_shadow_decides_for_the_ledger_and_its_changes_are_counted(
    broker: Broker, topics: TopicMaker, tmp_path: Path, model: Path, policy: Path
) -> None:
    registry = PolicyRegistry(tmp_path / "registry")
    first = registry.use(str(policy))
    second = registry.try_out(str(written(tmp_path / "other", "second", "casino", "lottery")), 1)
    stream = make_stream(broker, topics)
    with run_worker(stream, tmp_path, model=model, policy=registry.folder) as worker:
        stream.produce(queries(0, 120))
        wait_for(lambda: stream.ledger_count() == 240, 60, "the shadow does not decide")
        registry.use(second)
        wait_for(lambda: worker.health()["policy"] == second, 60, "the policy is not put in use")
        registry.roll_back()
        wait_for(lambda: worker.health()["policy"] == first, 60, "the policy is not rolled back")
        stream.await_commits()
        worker.stop()
    outputs = stream.outputs()
    ledgers = [output for output in outputs if output.name == "ledger"]
    served = [output for output in outputs if output.name != "ledger" or not output.event["shadow"]]
    assert_accounted_for(stream.inputs(), served)
    assert {output.event["policy_version"] for output in served} == {first}
    shadows = [output for output in ledgers if output.event["shadow"]]
    assert {output.event["policy_version"] for output in shadows} == {second}
    assert not any(output.event["outputs"] for output in shadows)
    assert {output.event_id for output in shadows} == {output.event_id for output in served}
    assert_changes_are_counted(stream, tmp_path, ledgers)


def assert_changes_are_counted(stream: Stream, tmp_path: Path, ledgers: list[Output]) -> None:
    lines = tmp_path / "ledger.jsonl"
    lines.write_bytes(b"\n".join(orjson.dumps({"topic": "ledger", "value": ledger.event}) for ledger in ledgers))
    finished = sluice("eval", "shadow", lines, "--json", tmp_path / "shadow.json")
    assert finished.returncode == 0, finished.stderr
    [_, shadow] = orjson.loads((tmp_path / "shadow.json").read_bytes())["systems"].values()
    by_event: dict[str, dict[bool, str]] = {}
    for ledger in ledgers:
        by_event.setdefault(ledger.event_id, {})[ledger.event["shadow"]] = ledger.event["outcome"]
    changed = sum(outcomes[True] != outcomes[False] for outcomes in by_event.values())
    assert changed > 0
    assert sum(shadow["agreement"]["changes"].values()) == changed
    assert shadow["agreement"]["categories"] == {"spam": changed}
