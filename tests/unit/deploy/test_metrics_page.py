"""/metrics has what OTLP exports, under the names that the alerts and the dashboards use."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from sluicegate.agents.spool.store import Spool
from sluicegate.agents.telemetry import semconv
from tests.support.every_metric import page_with_every_metric

DEPLOY = Path(__file__).parents[3] / "deploy"
OF_PROMETHEUS = {"job", "instance", "le"}
"""Labels that a scrape adds, and that of buckets."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Every series of the page, with its labels."""
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder / "spool", max_bytes=2_000_000, reserve_bytes=100_000, when_full="refuse")
    _, text = page_with_every_metric(spool).render()
    spool.close()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions() -> Iterator[str]:
    for group in yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]
    for dashboard in (DEPLOY / "grafana" / "dashboards").glob("*.json"):
        for panel in json.loads(dashboard.read_text())["panels"]:
            for target in panel.get("targets", []):
                if "expr" in target:
                    yield re.sub(r"\$__\w+", "5m", target["expr"])


def recorded() -> set[str]:
    """Series that recording rules make."""
    rules = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"]
    return {rule["record"] for group in rules for rule in group["rules"] if "record" in rule}


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    nodes: list[promql_parser.Expr] = []
    promql_parser.walk(promql_parser.parse(expression), nodes.append)
    for node in nodes:
        if isinstance(node, promql_parser.VectorSelector):
            yield node.name or "", {matcher.name for matcher in node.matchers.matchers} - {"__name__"}


def test_every_metric_of_the_alerts_and_the_dashboards_is_on_the_page_under_the_same_name(
    page: dict[str, set[str]],
) -> None:
    made = recorded() | {"ALERTS", "up", "target_info"}
    used = [each for expression in expressions() for each in selectors(expression)]
    assert used
    assert {name for name, _ in used if name not in page and name not in made} == set()
    for name, labels in used:
        if name in page:
            assert labels <= page[name] | OF_PROMETHEUS, name


@pytest.mark.parametrize("name", [value for key, value in vars(semconv).items() if key.startswith("METRIC_")])
def test_every_metric_that_is_exported_is_on_the_page(page: dict[str, set[str]], name: str) -> None:
    assert any(series.startswith(name.replace(".", "_")) for series in page)
