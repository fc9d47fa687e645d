"""The drill of docs/deployment.md: the code before and today's in one group, upgraded, exchanged, rolled back.

The code before is an older commit of this repository, run from its own folder.
"""

import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import orjson
import pytest

from sluicegate.agents.local.child_process import start_worker, stop_child
from sluicegate.models.artifacts.registry import Registry
from sluicegate.models.inference.labels import Category
from sluicegate.models.policy.policy_file import read_policy
from sluicegate.schemas.events import Threshold
from sluicegate.schemas.version import VERSION
from tests.support.accounts import assert_accounted_for, assert_contracts_hold
from tests.support.brokers import Broker
from tests.support.compiled import compiled_twins, edit_manifest
from tests.support.ports import free_port
from tests.support.required import give_up
from tests.support.worker_process import PATIENT_MS, Output, Stream, WorkerProcess, fresh_stream, wait_for

ROOT = Path(__file__).parents[2]
BEFORE: Final = "e9daba41cfadc693075ceeac4018b4ab629cf1e8"
"""The code before: 0.2, as it was before ledger records named the version that made them."""
WORDS: Final = ("shoes", "casino", "lottery")
BANNED: Final = {"first": ("casino",), "second": ("casino", "lottery")}
"""What each policy blocks, by its name."""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the code before."""
    known = (
        shutil.which("git")
        and not subprocess.run(
            ["git", "cat-file", "-e", f"{BEFORE}^{{commit}}"], cwd=ROOT, capture_output=True, check=False
        ).returncode
    )
    if not known:
        give_up(
            "REQUIRE_HISTORY",
            f"the history of this clone does not reach back to {BEFORE[:12]}: git fetch --unshallow",
        )
    folder = tmp_path_factory.mktemp("before")
    packages = ("sluicegate", "agents", "models", "schemas")
    archive = subprocess.run(["git", "archive", BEFORE, *packages], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "--extract", "--directory", folder], input=archive, check=True)
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model that allows what no list blocks, and one with the same weights that wants a review of it."""
    folders = compiled_twins(tmp_path_factory.mktemp("models"))
    for folder, allow in zip(folders, (1.0, 0.0), strict=True):
        edit_manifest(folder, thresholds=dict.fromkeys(Category, Threshold(allow=allow, block=2)), sum_bound=9.0)
    return folders


def write_policy(file: Path, name: str) -> str:
    """Write the policy of that name; returns its version."""
    terms = orjson.dumps(BANNED[name]).decode()
    file.write_text(f'name = "{name}"\n[list.banned]\naction = "block"\ncategory = "spam"\nterms = {terms}\n')
    return read_policy(file).version


class Group:
    """The workers of one group, each of them of the code before (`None`: the code of today)."""

    def __init__(self, stream: Stream, folder: Path, stack: ExitStack, settings: dict[str, str]) -> None:
        self._stream = stream
        self._folder = folder
        self._stack = stack
        self._settings = settings
        self.workers: list[WorkerProcess] = []

    def start(self, code: Path | None) -> WorkerProcess:
        """Start a worker and wait until it is ready."""
        port = free_port()
        environment = {**self._stream.environment, **self._settings, "SLUICE_HTTP_PORT": str(port)}
        if code:
            environment |= {"PYTHONPATH": str(code), "PYTHONSAFEPATH": "1"}  # not the folder that the tests run in
        log = self._folder / f"worker-{port}.log"
        process = start_worker(environment, log)
        self._stack.callback(stop_child, process, 0.1)
        worker = WorkerProcess(process, log, port)
        wait_for(worker.healthy, 60, "the worker does not answer on /healthz")
        wait_for(lambda: worker.readiness()[0] == 200, 60, "the worker is not ready")
        self.workers.append(worker)
        return worker

    def replace_oldest(self, code: Path | None) -> None:
        """As a rolling upgrade does: start one more, then stop the oldest, which must finish what it has."""
        oldest = self.workers[0]
        self.start(code)
        self.workers.remove(oldest)
        oldest.stop()

    def await_served(self, what: str, version: str) -> None:
        """Wait until every worker serves this model or policy."""
        wait_for(
            lambda: all(worker.health()[what].startswith(version) for worker in self.workers),
            60,
            f"a worker does not serve {version}",
        )


@contextmanager
def steady_producer(stream: Stream) -> Iterator[None]:
    """Publishes some events every tenth of a second until the block ends."""
    ended = threading.Event()

    def publish() -> None:
        number = 0
        while not ended.wait(0.1):
            queries = [f"{WORDS[n % 3]} number {n}" for n in range(number, number + 6)]
            stream.produce([(str(n).encode(), orjson.dumps({"query": text}), []) for n, text in enumerate(queries)])
            number += 6

    thread = threading.Thread(target=publish, name="producer")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def decide_more(stream: Stream) -> None:
    """Wait until the group has decided more events than before."""
    count = stream.ledger_count()
    wait_for(lambda: stream.ledger_count() > count + 60, 60, "the group decides nothing")


def assert_nothing_is_a_mixture(outputs: Sequence[Output], texts: dict[tuple[int, int], str]) -> None:
    """Each event was decided by one model, one policy and one version, and as these decide it."""
    stamps: dict[str, set[tuple[str, str]]] = {}
    for output in outputs:
        stamps.setdefault(output.event_id, set()).add((output.event["model_version"], output.event["policy_version"]))
    assert all(len(found) == 1 for found in stamps.values())
    for ledger in (output.event for output in outputs if output.name == "ledger"):
        policy, model = ledger["policy_version"].partition("@")[0], ledger["model_version"].partition("@")[0]
        text = texts[ledger["source"]["partition"], ledger["source"]["offset"]]
        blocked = any(word in text for word in BANNED[policy])
        expected = "blocked" if blocked else "review" if model == "second" else "allowed"
        assert ledger["outcome"] == expected, (text, policy, model)


def test_an_upgrade_an_exchange_and_a_rollback_lose_nothing_and_each_record_names_what_decided_it(
    apache_broker: Broker, before: Path, models: tuple[Path, Path], tmp_path: Path
) -> None:
    stream = fresh_stream(apache_broker.bootstrap_servers, "upgrade", partitions=4)
    registry = Registry(tmp_path / "registry")
    first = registry.use(str(models[0]))
    policy = tmp_path / "policy.toml"
    first_policy = write_policy(policy, "first")
    settings = {
        "SLUICE_MODEL": str(registry.folder),
        "SLUICE_POLICY": str(policy),
        "SLUICE_DEADLINE_MS": str(PATIENT_MS),
    }
    with ExitStack() as stack:
        group = Group(stream, tmp_path, stack, settings)
        group.start(before)
        group.start(before)
        with steady_producer(stream):
            decide_more(stream)
            group.replace_oldest(None)  # both versions in one group
            decide_more(stream)
            second_policy = write_policy(policy, "second")
            group.await_served("policy", second_policy)
            decide_more(stream)
            group.replace_oldest(None)  # the upgrade is complete
            second = registry.use(str(models[1]))
            group.await_served("models", second)
            decide_more(stream)
            group.replace_oldest(before)  # the rollback begins: both versions again
            decide_more(stream)
            registry.roll_back()
            group.await_served("models", first)
            decide_more(stream)
            group.replace_oldest(before)
            decide_more(stream)
        stream.await_commits()
        for worker in group.workers:
            worker.stop()
    inputs, outputs = stream.inputs(), stream.outputs()
    assert_accounted_for(inputs, outputs)
    assert_contracts_hold(outputs)
    texts = {(each.partition() or 0, each.offset() or 0): (each.value() or b"").decode() for each in inputs}
    assert_nothing_is_a_mixture(outputs, texts)
    ledgers = [output.event for output in outputs if output.name == "ledger"]
    assert {each["policy_version"] for each in ledgers} == {first_policy, second_policy}
    assert {each["model_version"] for each in ledgers} == {first, second}
    assert {each.get("sluicegate_version") for each in ledgers} == {None, VERSION}
