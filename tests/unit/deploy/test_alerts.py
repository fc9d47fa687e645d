"""Each alert has an entry in the runbook, and is shown to fire and to be silent."""

import re
from pathlib import Path

import msgspec
import pytest
import typer
import yaml

from sluicegate.agents.cli.app import app
from sluicegate.schemas.errors import ContractError, FormatFailed, SluicegateError
from tests.support.markdown import blocks_of
from tests.support.prometheus import promtool, require_prometheus

ROOT = Path(__file__).parents[3]
RUNBOOK = ROOT / "docs" / "runbook.md"
TESTS = sorted((ROOT / "tests" / "deploy").glob("alerts*.test.yaml"))


class Rule(msgspec.Struct):
    expr: str
    record: str = ""
    alert: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Group(msgspec.Struct):
    rules: list[Rule]


class Rules(msgspec.Struct):
    groups: list[Group]


class AlertTest(msgspec.Struct):
    alertname: str
    exp_alerts: list[object] = []


class Scenario(msgspec.Struct):
    alert_rule_test: list[AlertTest]


class Scenarios(msgspec.Struct):
    tests: list[Scenario]


RULES = msgspec.yaml.decode((ROOT / "deploy" / "alerts.yaml").read_bytes(), type=Rules)
ALERTS = [rule for group in RULES.groups for rule in group.rules if rule.alert]
ENTRIES = re.findall(r"^### (\w+)$(.*?)(?=^##|\Z)", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
EXPECTED = [
    expected
    for file in TESTS
    for scenario in msgspec.convert(yaml.safe_load(file.read_text()), Scenarios).tests
    for expected in scenario.alert_rule_test
]


def named(alert: Rule) -> str:
    return alert.alert


def test_the_runbook_has_an_entry_for_each_alert_and_no_other() -> None:
    assert sorted(name for name, _ in ENTRIES) == sorted(alert.alert for alert in ALERTS)


@pytest.mark.parametrize("alert", ALERTS, ids=named)
def test_an_alert_says_how_urgent_it_is_and_links_to_its_entry(alert: Rule) -> None:
    assert alert.labels["severity"] in {"critical", "warning"}
    assert alert.annotations.keys() == {"summary", "description", "runbook_url"}
    assert alert.annotations["runbook_url"] == f"docs/runbook.md#{alert.alert.lower()}"


def test_the_table_of_the_runbook_names_the_urgent_alerts() -> None:
    urgent = re.search(r"^\| (\[NoWorker\].*?) \|", RUNBOOK.read_text(), re.MULTILINE)
    assert urgent
    listed = set(re.findall(r"\[(\w+)\]", urgent[1]))
    assert listed == {
        alert.alert.removeprefix("Sluicegate") for alert in ALERTS if alert.labels["severity"] == "critical"
    }


@pytest.mark.parametrize(("name", "text"), ENTRIES, ids=[name for name, _ in ENTRIES])
def test_an_entry_says_what_the_alert_means_what_to_look_at_and_what_to_do(name: str, text: str) -> None:
    assert re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE) == ["Means", "Look at", "Do"]


@pytest.mark.parametrize("alert", ALERTS, ids=named)
def test_an_alert_is_shown_to_fire_and_to_be_silent(alert: Rule) -> None:
    shown = {bool(expected.exp_alerts) for expected in EXPECTED if expected.alertname == alert.alert}
    assert shown == {True, False}


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_promtool_finds_that_each_alert_fires_when_it_should_and_only_then(file: Path) -> None:
    require_prometheus()
    promtool("test", "rules", file, folder=ROOT)


def test_the_errors_that_are_not_ours_are_those_of_what_a_producer_sent() -> None:
    [errors] = [alert for alert in ALERTS if alert.alert == "SluicegateErrors"]
    excluded = re.search(r'error_type!~"([\w|]+)"', errors.expr)
    assert excluded
    assert set(excluded[1].split("|")) == {FormatFailed.__name__, *kinds_of(ContractError)}


def kinds_of(error: type[SluicegateError]) -> set[str]:
    return {error.__name__}.union(*(kinds_of(kind) for kind in error.__subclasses__()))


def commands_of(file: Path) -> set[str]:
    """Every `sluice …` of a document's blocks and text."""
    lines = [line.strip() for block in blocks_of(file) for line in block.text.splitlines()]
    lines += re.findall(r"`(sluice [^`]+)`", file.read_text())
    return {line.partition("  ")[0] for line in lines if line.startswith("sluice ")}


@pytest.mark.parametrize("command", sorted(commands_of(RUNBOOK)))
def test_a_command_of_the_runbook_exists_with_its_options(command: str) -> None:
    found = typer.main.get_command(app)
    words = command.split()[1:]
    while words and isinstance(found, typer.core.TyperGroup):
        found = found.commands[words.pop(0)]
    options = {name for parameter in found.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options
