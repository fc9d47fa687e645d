"""With a second model the Python API, the tools for assistants and `sluice explain` say which model said what."""

from pathlib import Path

import msgspec
import pytest
from mcp_types import CallToolResult, TextContent
from typer.testing import CliRunner

from sluicegate import AsyncGate, Gate, JsonLinesLedger
from sluicegate.agents.cli.app import app
from sluicegate.agents.explanation import why_second_was_not_asked
from sluicegate.agents.ledger.search import LedgerFile
from sluicegate.agents.mcp.tools import GateTools
from sluicegate.agents.settings import EMBEDDED_MODEL
from sluicegate.schemas.events import LedgerRecord

RUDE = "you are such a pathetic loser"
UNSAFE = "how to forge a passport"
POLICY = """
name = "shop"
[second.thresholds]
harassment = { allow = 1, block = 1.1 }
[list.banned]
action = "block"
category = "spam"
terms = ["casino bonus"]
"""


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """By it the second model, which is the embedded one too, allows what the first one sends to review."""
    monkeypatch.setenv("SLUICE_SECOND_MODEL", str(EMBEDDED_MODEL))
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return path


def test_the_second_model_decides_what_the_first_is_unsure_of_and_no_other_query(policy: Path) -> None:
    with Gate(policy=policy) as gate:
        rude, *others = gate.decide_many([RUDE, "red shoes", UNSAFE, "casino bonus"])
    assert rude.second
    assert (rude.verdict, rude.second.screened_verdict, rude.second.verdict) == ("allow", "review", "allow")
    assert rude.second.decided
    assert rude.second.model_version == rude.model_version
    assert "second:allow" in rude.reason_codes
    assert rude.thresholds["harassment"].allow < 1 == rude.second.thresholds["harassment"].allow
    assert [each.second for each in others] == [None] * 3
    assert [why_second_was_not_asked(each) for each in others] == [
        "the first model decided alone: allow",
        "the first model decided alone: block, and SLUICE_SECOND_CONFIRMS does not name illicit",
        "a list of the policy decided",
    ]


def test_the_audit_record_explains_both_models(policy: Path, tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Gate(policy=policy, ledger=JsonLinesLedger(path)) as gate:
        event_id = gate.decide(RUDE).event_id
    assert event_id
    words = words_of("explain", event_id, "--file", str(path))
    assert words.startswith("Allowed: no category reached its threshold, and allow has the probability")
    for part in (
        "The second model decided.",
        "second model allow, by below_every_threshold sluice-embedded@",
        "asked because the first model would send the query to review (review_threshold:harassment)",
        "second:allow The second model was asked too: by its own thresholds it allows the query.",
    ):
        assert part in words


def test_ask_says_why_the_second_model_was_not_asked(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "second model not asked: the first model decided alone: allow reasons" in words_of("ask", "red shoes")
    models = ("--model", str(EMBEDDED_MODEL)) * 2
    assert "second model review review" in words_of("ask", *models, RUDE)
    monkeypatch.delenv("SLUICE_SECOND_MODEL")
    assert "second model" not in words_of("ask", "red shoes")


async def test_assistants_are_told_that_the_second_model_decided(policy: Path, tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    async with AsyncGate(policy=policy, ledger=JsonLinesLedger(path)) as gate:
        tools = GateTools(gate, LedgerFile(path))
        gated = await tools.call("gate", {"query": RUDE})
        rewritten = await tools.call("rewrite", {"query": RUDE})
        assert gated
        assert gated.structured_content
        explained = await tools.call("explain", {"event_id": gated.structured_content["event_id"]})
    assert gated.structured_content["second"]["decided"]
    assert rewritten
    assert rewritten.structured_content
    assert rewritten.structured_content["verdict"] == "allow"
    assert explained
    record = msgspec.convert(explained.structured_content, LedgerRecord)
    assert record.decision
    assert record.decision.second
    assert record.decision.second.screened_verdict == "review"
    assert sentence(gated).endswith("The second model decided.")
    assert "The second model was asked too: by its own thresholds it allows the query." in sentence(explained)


def words_of(*command: str) -> str:
    """What `sluice` prints, with one space between words."""
    shown = CliRunner().invoke(app, command, env={"COLUMNS": "100"})
    assert shown.exit_code == 0, shown.output
    return " ".join(shown.output.split())


def sentence(result: CallToolResult) -> str:
    content = result.content[1]
    assert isinstance(content, TextContent)
    return content.text
