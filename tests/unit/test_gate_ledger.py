"""The audit records, the spans and the exchange of models of the Python API."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import orjson
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sluicegate import (
    AsyncGate,
    ConfigurationError,
    Gate,
    GateDecision,
    JsonLinesLedger,
    LedgerFailed,
    SpoolLedger,
    spans,
)
from sluicegate.agents.spool.reading import read_all
from sluicegate.models.artifacts.registry import Registry
from sluicegate.schemas.codec import encode
from sluicegate.schemas.errors import SpoolFailed
from sluicegate.schemas.events import LedgerRecord
from sluicegate.schemas.headers import EVENT_ID

TRACE = 0x0AF7651916CD43DD8448EB211C80319C


@pytest.fixture(scope="module")
def model(twins: tuple[Path, Path]) -> Path:
    return twins[0]


def records(path: Path) -> list[LedgerRecord]:
    """The lines of a ledger; each keeps the contract of the worker's records."""
    lines = path.read_bytes().splitlines()
    found = [msgspec.json.decode(line, type=LedgerRecord) for line in lines]
    assert [orjson.loads(encode(record)) for record in found] == [orjson.loads(line) for line in lines]
    return found


def test_a_decision_leaves_the_record_that_a_worker_writes(model: Path, tmp_path: Path) -> None:
    with Gate(model, ledger=JsonLinesLedger(tmp_path / "ledger.jsonl")) as gate:
        decisions = [gate.decide("red shoes"), gate.decide("red shoes")]
    first, second = records(tmp_path / "ledger.jsonl")
    assert [first.event_id, second.event_id] == [decision.event_id for decision in decisions]
    assert first.decision
    assert (first.decision.verdict, first.decision.reason) == (decisions[0].verdict, decisions[0].reason)
    assert first.decision.reason_codes == list(decisions[0].reason_codes)
    assert second.decision
    assert (first.decision.answered_by, second.decision.answered_by) == ("model", "cache")
    assert first.source.topic.startswith("gate:")
    assert (first.source.partition, first.source.offset, second.source.offset) == (os.getpid(), 0, 1)
    assert not first.source.in_kafka
    assert first.latency_ms.total > 0
    assert first.query is None
    assert b"shoes" not in (tmp_path / "ledger.jsonl").read_bytes()
    assert (tmp_path / "ledger.jsonl").stat().st_mode & 0o777 == 0o600


def test_the_text_is_in_the_record_if_the_setting_allows_it(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_LEDGER_TEXT", "true")
    with Gate(model, ledger=JsonLinesLedger(tmp_path / "ledger.jsonl")) as gate:
        gate.decide("<b>red</b> shoes")
    assert records(tmp_path / "ledger.jsonl")[0].query == "red shoes"


def test_threads_and_batches_leave_one_record_for_each_query(model: Path, tmp_path: Path) -> None:
    with Gate(model, ledger=JsonLinesLedger(tmp_path / "ledger.jsonl")) as gate:
        with ThreadPoolExecutor(8) as threads:
            decisions = list(threads.map(gate.decide, [f"red shoes {n % 20}" for n in range(100)]))
        decisions += gate.decide_many([f"blue shoes {n}" for n in range(50)])
    found = records(tmp_path / "ledger.jsonl")
    assert {record.event_id for record in found} == {decision.event_id for decision in decisions}
    assert sorted(record.source.offset for record in found) == list(range(150))


def test_a_spool_as_the_ledger_has_the_record_on_disk_when_the_decision_is_there(model: Path, tmp_path: Path) -> None:
    with Gate(model, ledger=SpoolLedger(tmp_path / "spool")) as gate:
        decisions = gate.decide_many([f"red shoes {n}" for n in range(100)])
        stored = [each.record for each in read_all(tmp_path / "spool")]
        with pytest.raises(SpoolFailed, match="one process at a time can add"):
            Gate(model, ledger=SpoolLedger(tmp_path / "spool"))
    assert {record.id for record in stored} == {decision.event_id for decision in decisions}
    assert {record.topic for record in stored} == {"queries.ledger"}
    assert all(msgspec.json.decode(record.value, type=LedgerRecord).event_id == record.id for record in stored)
    Gate(model, ledger=SpoolLedger(tmp_path / "spool")).close()


def test_a_ledger_that_cannot_be_opened_is_refused_in_one_line(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot write the ledger .*: No such file or directory"):
        Gate(model, ledger=JsonLinesLedger(tmp_path / "nowhere" / "ledger.jsonl"))
    with pytest.raises(ConfigurationError, match="SLUICE_SPOOL"):
        Gate(model, ledger=SpoolLedger())


def test_a_decision_whose_record_cannot_be_kept_is_not_given_away(model: Path) -> None:
    with Gate(model, ledger=JsonLinesLedger("/dev/full")) as gate, pytest.raises(LedgerFailed, match="No space left"):
        gate.decide("red shoes")


FORKED = """
import os, sys
from sluicegate import AsyncGate, Gate, GateClosed, SpoolLedger
gate = Gate(sys.argv[1], ledger=SpoolLedger(sys.argv[2]))
gate.decide("red shoes")
if child := os.fork():
    _, status = os.waitpid(child, 0)
    gate.decide("blue shoes")
    sys.exit(os.waitstatus_to_exitcode(status))
try:
    gate.decide("red shoes")
except GateClosed as error:
    print(error, flush=True)
with Gate(sys.argv[1], ledger=SpoolLedger(sys.argv[2] + ".child")) as own:
    own.decide("green shoes")
"""


def test_a_gate_with_a_ledger_refuses_to_work_after_a_fork_and_the_parents_goes_on(model: Path, tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", FORKED, model, tmp_path / "spool"], capture_output=True, text=True, check=False
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "made before a fork" in finished.stdout
    assert len(list(read_all(tmp_path / "spool"))) == 2
    assert len(list(read_all(tmp_path / "spool.child"))) == 1


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The caller's own tracer provider, as an application configures it."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    spans._tracer.cache_clear()
    yield exporter
    spans._tracer.cache_clear()


def decided(exporter: InMemorySpanExporter) -> tuple[ReadableSpan, dict[str, ReadableSpan]]:
    """The span of a decision, and its children by name."""
    finished = {span.name: span for span in exporter.get_finished_spans()}
    decision = finished.pop("sluicegate.decide")
    assert decision.context
    children = {
        name: span
        for name, span in finished.items()
        if span.parent and decision.context and span.parent.span_id == decision.context.span_id
    }
    return decision, children


def check_spans(exporter: InMemorySpanExporter, decision: GateDecision, ledger: Path) -> None:
    span, children = decided(exporter)
    (request,) = [each for each in exporter.get_finished_spans() if each.name == "request"]
    assert request.context
    assert span.parent
    assert span.parent.span_id == request.context.span_id
    assert set(children) == {"normalise", "queue", "model"}
    assert span.attributes
    assert span.attributes["sluicegate.event_id"] == decision.event_id
    assert span.attributes["sluicegate.verdict"] == decision.verdict
    assert "shoes" not in str([dict(each.attributes or {}) for each in exporter.get_finished_spans()])
    assert records(ledger)[0].trace_id == f"{request.context.trace_id:032x}"


def test_decisions_are_spans_under_the_callers(exporter: InMemorySpanExporter, model: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    with Gate(model, ledger=JsonLinesLedger(ledger)) as gate:
        with trace.get_tracer("application").start_as_current_span("request"):
            decision = gate.decide("red shoes")
        check_spans(exporter, decision, ledger)
        exporter.clear()
        gate.decide("blue shoes")  # the caller has no span: it gets none
        assert exporter.get_finished_spans() == ()


async def test_decisions_of_an_async_gate_are_spans_under_the_callers(
    exporter: InMemorySpanExporter, model: Path, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    async with AsyncGate(model, ledger=JsonLinesLedger(ledger)) as gate:
        with trace.get_tracer("application").start_as_current_span("request"):
            decision = await gate.decide("red shoes")
    check_spans(exporter, decision, ledger)


def test_a_record_in_the_spool_continues_the_callers_trace(
    exporter: InMemorySpanExporter, model: Path, tmp_path: Path
) -> None:
    with Gate(model, ledger=SpoolLedger(tmp_path / "spool")) as gate:
        with trace.get_tracer("application").start_as_current_span("request"):
            gate.decide("red shoes")
        (stored,) = read_all(tmp_path / "spool")
    span, _ = decided(exporter)
    assert span.context
    place = span.context
    expected = f"00-{place.trace_id:032x}-{place.span_id:016x}-{place.trace_flags:02x}"
    assert stored.record.headers == (("traceparent", expected.encode()),)
    assert EVENT_ID not in dict(stored.record.headers)  # `sluice spool sync` adds it


async def test_a_gate_follows_its_registry(twins: tuple[Path, Path], tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    old = registry.use(str(twins[0]))
    async with AsyncGate(tmp_path) as gate:
        assert (await gate.decide("red shoes")).model_version == old
        new = registry.use(str(twins[1]))
        async with asyncio.timeout(60):
            while (await gate.decide("red shoes")).model_version != new:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.05)
        assert gate.model_version == new
    assert old != new
