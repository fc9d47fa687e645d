"""The Python API: the worker's decisions without Kafka, and typical mistakes answered in one line."""

import asyncio
import doctest
import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import assert_type

import msgspec
import pytest

import sluicegate
from sluicegate import AsyncGate, ConfigurationError, ContractError, Gate, GateClosed, GateDecision
from sluicegate.agents.deciding.decider import Decider, load_engine
from sluicegate.agents.settings import load_settings
from sluicegate.models.inference.labels import LABELS, Category
from sluicegate.schemas.events import Threshold
from tests.support.compiled import compiled_tiny

ALWAYS_REVIEW = {category.value: Threshold(allow=0, block=2) for category in Category}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_tiny(tmp_path_factory.mktemp("models") / "model", "embedded")


@pytest.fixture(scope="module")
def gate(model: Path) -> Iterator[Gate]:
    with Gate(model) as gate:
        yield gate


def python(script: str, *arguments: str | Path) -> str:
    """What a new process prints; it must end well, and write nothing to standard error."""
    finished = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, timeout=60, check=False)
    assert (finished.returncode, finished.stderr.decode()) == (0, "")
    return finished.stdout.decode()


@pytest.mark.parametrize("module", ["sluicegate", "sluicegate.gate", "sluicegate.async_gate"])
def test_the_examples_of_the_documentation_work(module: str) -> None:
    outcome = doctest.testmod(import_module(module))
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_every_public_name_is_there_and_no_other() -> None:
    assert all(getattr(sluicegate, name).__name__ == name for name in sluicegate.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Queue'"):
        sluicegate.Queue  # noqa: B018


def test_the_import_loads_nothing_heavy_and_a_decision_no_kafka_client(model: Path) -> None:
    script = """
import sys
from sluicegate import AsyncGate, Gate, GateDecision
print(*sorted({"numpy", "ctranslate2", "pydantic", "tokenizers", "symspellpy"} & set(sys.modules)), sep=",")
with Gate(sys.argv[1]) as gate:
    gate.decide("red shoes")
print(*sorted({"faust", "mode", "aiokafka", "confluent_kafka", "opentelemetry", "typer"} & set(sys.modules)), sep=",")
"""
    assert python(script, model) == "\n\n"


async def test_a_decision_is_that_of_the_workers_decider(model: Path, gate: Gate) -> None:
    settings = load_settings(model=model)
    async with Decider[None].running(load_engine(settings), settings) as decider:
        for text in ("red shoes", "<b>Red</b>  shoes", "blue shoes"):
            expected, found = await decider.decide(text, None), await asyncio.to_thread(gate.decide, text)
            result = expected.model_result
            assert found.verdict == result.policy_result.verdict
            assert found.allow == (found.verdict == "allow")
            assert (found.category, found.reason) == (result.policy_result.category, result.policy_result.reason)
            assert found.probability == pytest.approx(result.policy_result.probability)
            assert list(found.probabilities) == list(LABELS)
            assert found.reason_codes == tuple(expected.reason_codes)
            assert found.query == expected.text
            if found.verdict != "block":
                assert (found.lexical, found.semantic) == (result.lexical, result.semantic)
                assert found.intent == result.intent
            assert found.degraded is False
            assert found.model_version == decider.engine.manifest.model_version


def test_a_decision_has_its_thresholds_its_stages_and_its_tokens(model: Path) -> None:
    with Gate(model, thresholds=ALWAYS_REVIEW) as gate:
        first, again = gate.decide("red shoes"), gate.decide("red shoes")
    assert first.thresholds["hate"] == Threshold(allow=0, block=2)
    assert next((reading.name, reading.text) for reading in first.readings) == ("query", "red shoes")
    assert list(first.thresholds) == [label for label in LABELS if label != "allow"]
    assert (first.answered_by, again.answered_by) == ("model", "cache")
    assert first.stages_ms.queue is not None
    assert first.stages_ms.model is not None
    assert first.latency_ms >= first.stages_ms.normalise + first.stages_ms.model
    assert first.tokens.input > 0
    assert (again.stages_ms.queue, again.stages_ms.model, again.tokens.input) == (None, None, 0)


def test_a_blocked_query_has_nothing_to_search_for(model: Path) -> None:
    with Gate(model, thresholds={"hate": {"allow": 0, "block": 0}}) as gate:
        decision = gate.decide("red shoes")
    assert (decision.verdict, decision.allow, decision.category) == ("block", False, "hate")
    assert (decision.lexical, decision.semantic, decision.intent) == (None, None, None)
    assert decision.query == "red shoes"


def test_thresholds_may_be_structs_and_wrong_ones_are_named(model: Path) -> None:
    with Gate(model, thresholds=ALWAYS_REVIEW) as gate:
        assert gate.decide("red shoes").verdict == "review"
    with pytest.raises(ConfigurationError, match="rudeness") as refused:
        Gate(model, thresholds={"rudeness": {"allow": 0.1, "block": 0.2}})
    assert "\n" not in str(refused.value)


def test_many_queries_are_decided_in_their_order(gate: Gate) -> None:
    queries = [f"{'very ' * (n % 5)}red shoes {n}" for n in range(600)]
    assert [decision.query for decision in gate.decide_many(iter(queries))] == queries
    assert gate.decide_many([]) == []


def test_threads_may_share_a_gate(gate: Gate) -> None:
    queries = [f"red shoes {n % 40}" for n in range(200)]
    with ThreadPoolExecutor(8) as threads:
        decisions = list(threads.map(gate.decide, queries))
    assert [decision.query for decision in decisions] == queries
    assert decisions[0].probabilities == decisions[40].probabilities


@pytest.mark.parametrize(
    ("query", "error", "said"),
    [
        (b"red shoes", TypeError, "a query must be a str, not bytes"),
        (None, TypeError, "a query must be a str, not NoneType"),
        ("", ContractError, "nothing is left"),
        (" \u200b<b></b>", ContractError, "nothing is left"),
        ("red " * 5000, ContractError, "the query has 20000 characters, at most 8192 are allowed"),
    ],
)
def test_a_wrong_query_is_refused_in_one_line(gate: Gate, query: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as refused:
        gate.decide(query)
    assert "\n" not in str(refused.value)
    with pytest.raises(error, match=said):
        gate.decide_many(["red shoes", query])


def test_a_wrong_query_among_many_is_named_by_its_place(gate: Gate) -> None:
    with pytest.raises(ContractError, match=r"^query 2: nothing is left"):
        gate.decide_many(["red shoes", "blue shoes", " ", "green shoes"])
    with pytest.raises(TypeError, match="not one str"):
        gate.decide_many("red shoes")


def test_an_unknown_model_is_refused_in_one_line(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(ConfigurationError, match="nowhere is not a compiled model") as refused:
        Gate(tmp_path / "nowhere")
    assert "\n" not in str(refused.value)
    assert threading.active_count() == before


def test_a_closed_gate_says_so(model: Path) -> None:
    gate = Gate(model)
    gate.close()
    gate.close()
    with pytest.raises(GateClosed, match="closed"):
        gate.decide("red shoes")
    with pytest.raises(GateClosed, match="closed"):
        gate.decide_many([])


def test_closing_while_other_threads_decide_ends_each_in_an_answer_or_in_gate_closed(model: Path) -> None:
    gate = Gate(model)
    decided = threading.Semaphore(0)

    def decide_until_closed(name: str) -> str:
        for number in range(1_000_000):
            try:
                assert gate.decide(f"{name} {number}").query == f"{name} {number}"
            except GateClosed:
                return "closed"
            decided.release()
        return "never closed"

    with ThreadPoolExecutor(4) as threads:
        ended = [threads.submit(decide_until_closed, name) for name in ("red", "blue", "green", "black")]
        for _ in range(20):
            decided.acquire()
        gate.close()
        assert [each.result(30) for each in ended] == ["closed"] * 4


def test_a_gate_that_is_forgotten_leaves_no_thread(model: Path) -> None:
    before = set(threading.enumerate())
    gate = Gate(model)
    gate.decide("red shoes")
    assert any(thread.name == "sluicegate" for thread in set(threading.enumerate()) - before)
    del gate
    gc.collect()
    assert not any(thread.name == "sluicegate" for thread in set(threading.enumerate()) - before)


def test_a_gate_that_is_never_closed_does_not_keep_the_process(model: Path) -> None:
    assert python("import sys; from sluicegate import Gate; gate = Gate(sys.argv[1]); gate.decide('x')", model) == ""


def test_a_gate_does_not_survive_a_fork_and_says_so(model: Path) -> None:
    script = """
import os, sys
from sluicegate import Gate, GateClosed
gate = Gate(sys.argv[1])
child = os.fork()
if child == 0:
    try:
        gate.decide("red shoes")
    except GateClosed as error:
        print("child:", error, flush=True)
    gate.close()
    with Gate(sys.argv[1]) as own:
        print("its own:", own.decide("red shoes").query, flush=True)
    os._exit(0)
os.waitpid(child, 0)
print("parent:", gate.decide("red shoes").query)
"""
    told = python(script, model).splitlines()
    assert "made before a fork" in told[0]
    assert told[1:] == ["its own: red shoes", "parent: red shoes"]


async def test_an_async_gate_is_used_inside_its_block_and_on_its_loop(model: Path) -> None:
    gate = AsyncGate(model)
    with pytest.raises(GateClosed, match="async with"):
        await gate.decide("red shoes")
    async with gate:
        assert (await gate.decide("red shoes")).model_version == gate.model_version
        with pytest.raises(GateClosed, match="another event loop"):
            await asyncio.to_thread(lambda: asyncio.run(gate.decide("red shoes")))
    with pytest.raises(GateClosed, match="async with"):
        await gate.decide("red shoes")


async def test_an_async_gate_that_closes_lets_calls_under_way_end(model: Path) -> None:
    async with AsyncGate(model) as gate:
        waiting = [asyncio.create_task(gate.decide(f"red shoes {n % 2}")) for n in range(20)]
        await asyncio.sleep(0)
    assert [decision.query for decision in await asyncio.gather(*waiting)] == [f"red shoes {n % 2}" for n in range(20)]


async def test_a_call_that_is_cancelled_disturbs_no_other(model: Path) -> None:
    async with AsyncGate(model) as gate:
        waiting = [asyncio.create_task(gate.decide("red shoes")) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        decisions = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(decisions[0], asyncio.CancelledError)
    assert [decision.query for decision in decisions[1:] if isinstance(decision, GateDecision)] == ["red shoes"] * 2


def test_a_decision_is_immutable_and_becomes_a_dictionary(gate: Gate) -> None:
    decision = gate.decide("red shoes")
    with pytest.raises(AttributeError):
        decision.verdict = "allow"  # type: ignore[misc]
    assert msgspec.structs.asdict(decision)["query"] == "red shoes"
    assert msgspec.json.decode(msgspec.json.encode(decision), type=GateDecision) == decision


def test_the_api_is_typed(gate: Gate) -> None:
    decision = gate.decide("red shoes")
    assert_type(gate, Gate)
    assert_type(decision, GateDecision)
    assert_type(decision.allow, bool)
    assert_type(decision.lexical, str | None)
    assert_type(decision.reason_codes, tuple[str, ...])
    assert_type(gate.decide_many(("red", "blue")), list[GateDecision])
    with pytest.raises(TypeError):
        gate.decide(5)  # type: ignore[arg-type]
