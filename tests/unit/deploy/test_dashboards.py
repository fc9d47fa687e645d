"""The collector, Prometheus and Grafana files fit the metrics that a worker really reports."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
import promql_parser
import pytest
import yaml
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Histogram, InMemoryMetricReader, Metric, Sum

from deploy.grafana.generate import dashboards
from sluicegate.agents.spool import Spool
from sluicegate.agents.spool.metrics import observe_spool
from sluicegate.agents.telemetry import Outcome, Telemetry
from sluicegate.agents.telemetry.levels import PartitionLag, WorkerLevels
from sluicegate.agents.telemetry.tracing import Tracing
from tests.support.every_metric import SECOND_OVERLOADED
from tests.support.prometheus import promtool, require_prometheus

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
PROVISIONING = DEPLOY / "grafana" / "provisioning"
UNIT_SUFFIXES = {"s": "_seconds", "By": "_bytes"}
"""What is added to a metric's name for its unit; nothing for units in braces, or none."""
Series = Mapping[str, frozenset[str]]


class Pipeline(msgspec.Struct):
    receivers: list[str]
    processors: list[str]
    exporters: list[str]


class CollectorService(msgspec.Struct):
    pipelines: dict[str, Pipeline]


class Exporter(msgspec.Struct):
    endpoint: str
    translation_strategy: str = ""


class Collector(msgspec.Struct):
    receivers: dict[str, object]
    processors: dict[str, object]
    exporters: dict[str, Exporter]
    service: CollectorService


class Targets(msgspec.Struct):
    targets: list[str]


class ScrapeConfig(msgspec.Struct):
    honor_labels: bool
    static_configs: list[Targets]


class Prometheus(msgspec.Struct):
    rule_files: list[str]
    scrape_configs: list[ScrapeConfig]


class Rule(msgspec.Struct):
    expr: str
    record: str = ""
    alert: str = ""


class RuleGroup(msgspec.Struct):
    rules: list[Rule]


class Alerts(msgspec.Struct):
    groups: list[RuleGroup]


class Datasource(msgspec.Struct, frozen=True):
    uid: str
    type: str
    url: str = ""


class Datasources(msgspec.Struct):
    datasources: list[Datasource]


class Target(msgspec.Struct, rename="camel"):
    datasource: Datasource
    expr: str = ""
    legend_format: str = ""


class FieldDefaults(msgspec.Struct):
    unit: str


class FieldConfig(msgspec.Struct):
    defaults: FieldDefaults


class Place(msgspec.Struct):
    x: int
    y: int
    w: int
    h: int


class Panel(msgspec.Struct, rename="camel"):
    id: int
    grid_pos: Place
    type: str
    title: str
    datasource: Datasource | None = None
    field_config: FieldConfig | None = None
    targets: list[Target] = []


class Dashboard(msgspec.Struct):
    uid: str
    panels: list[Panel]


class Query(NamedTuple):
    """A PromQL expression, where it stands, and the labels that its legend shows."""

    place: str
    expr: str
    legend: frozenset[str] = frozenset()


COLLECTOR = msgspec.yaml.decode((DEPLOY / "collector.yaml").read_bytes(), type=Collector)
PROMETHEUS = msgspec.yaml.decode((DEPLOY / "prometheus.yaml").read_bytes(), type=Prometheus)
ALERTS = msgspec.yaml.decode((DEPLOY / "alerts.yaml").read_bytes(), type=Alerts)
DATASOURCES = msgspec.yaml.decode(
    (PROVISIONING / "datasources" / "datasources.yaml").read_bytes(), type=Datasources
).datasources
DASHBOARDS = {
    file.stem: msgspec.json.decode(file.read_bytes(), type=Dashboard)
    for file in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
}
PANELS = [panel for dashboard in DASHBOARDS.values() for panel in dashboard.panels if panel.type != "row"]


def queries() -> Iterator[Query]:
    for group in ALERTS.groups:
        for rule in group.rules:
            yield Query(rule.alert or rule.record, rule.expr)
    for panel in PANELS:
        for target in panel.targets:
            if target.datasource.type == "prometheus":
                expr = target.expr.replace("$__rate_interval", "1m")
                yield Query(panel.title, expr, frozenset(re.findall(r"{{(\w+)}}", target.legend_format)))


QUERIES = list(queries())


def measured_metrics(folder: Path) -> list[Metric]:
    """Every metric of a worker that decided one event, made a dead letter of another, and met both again.

    And of a server whose ledger is a spool in `folder`.
    """
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("test")
    telemetry = Telemetry(meter, Tracing(None))
    telemetry.observe(queue_depth=lambda: 1, events_in_flight=lambda: 1)
    telemetry.set_levels(WorkerLevels(ready=True, commit_late_s=0, lags=(PartitionLag("queries.raw", 0, 1),)))
    outcomes = (
        Outcome(
            event_id="decided",
            duration_s=0.1,
            verdict="review",
            category="hate",
            answered_by="policy",
            degraded="deadline",
        ),
        Outcome(event_id="dead", duration_s=0.1, error_type="ContractError"),
    )
    for offset, outcome in enumerate(outcomes):
        with telemetry.process_span(
            telemetry.extract([]), topic="queries.raw", partition=0, offset=offset, group="gate", body_size=1
        ) as event:
            telemetry.record_batch([event], 0, 1, model="m1", input_tokens=1, output_tokens=1)
            telemetry.record(event, outcome)
            telemetry.record_duplicate(event, outcome.event_id)
            telemetry.second.record(event, SECOND_OVERLOADED)
            with telemetry.reviews.question(event, kind="api", name="api:m"):
                pass
    telemetry.second.observe(waiting=lambda: 1, circuit=lambda: 2)
    with telemetry.requests.span(telemetry.extract([]), method="POST", route="/v1/gate") as request:
        telemetry.requests.record(request, method="POST", status=503, duration_s=0.1, error="overloaded")
    spool = Spool(folder / "spool", max_bytes=2_000_000, reserve_bytes=100_000, when_full="refuse")
    observe_spool(spool, telemetry.meter)
    reviews = telemetry.reviews
    reviews.decided("policy", allow=False)
    reviews.fell_back("gate")
    reviews.observe_held(lambda: 1)
    reviews.observe_waiting(lambda: 1)
    reviews.checked("hate", "model", upheld=True)
    reviews.attempted("review", "busy")
    reviews.paid("review", 1, 1, 1.0)
    reviews.observe_upstream("review", circuit=lambda: 2, budget_left=lambda: 0.5, cost_per_1000=lambda: 1.0)
    data = reader.get_metrics_data()
    spool.close()
    assert data is not None
    return [
        metric for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
    ]


def prometheus_series(metric: Metric) -> Series:
    """The series, each with its labels, that the collector's exporter makes of a metric.

    Source: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
    """
    name = metric.name.replace(".", "_") + UNIT_SUFFIXES.get(metric.unit or "", "")
    labels = frozenset({"job", "instance"}).union(
        key.replace(".", "_") for point in metric.data.data_points for key in point.attributes or {}
    )
    if isinstance(metric.data, Histogram):
        return {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
    return {f"{name}_total" if isinstance(metric.data, Sum) else name: labels}


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> list[Metric]:
    return measured_metrics(tmp_path_factory.mktemp("spool"))


@pytest.fixture(scope="module")
def series(metrics: list[Metric]) -> Series:
    """What workers export, and what the rules record of it."""
    exported = {name: labels for metric in metrics for name, labels in prometheus_series(metric).items()}
    recorded = {
        rule.record: frozenset().union(*(labels for _, labels in aggregates(promql_parser.parse(rule.expr))))
        for group in ALERTS.groups
        for rule in group.rules
        if rule.record
    }
    alerts = {"ALERTS": frozenset({"alertname", "alertstate"})}
    return exported | recorded | alerts


def nodes(expr: promql_parser.Expr) -> list[promql_parser.Expr]:
    found: list[promql_parser.Expr] = []
    promql_parser.walk(expr, found.append)
    return found


def selected(expr: promql_parser.Expr) -> list[tuple[str, frozenset[str]]]:
    """The series that an expression reads, each with the labels that it is picked by."""
    return [
        (node.name or "", frozenset(matcher.name for matcher in node.matchers.matchers))
        for node in nodes(expr)
        if isinstance(node, promql_parser.VectorSelector)
    ]


def aggregates(expr: promql_parser.Expr) -> list[tuple[promql_parser.AggregateExpr, frozenset[str]]]:
    found = [node for node in nodes(expr) if isinstance(node, promql_parser.AggregateExpr)]
    return [(node, frozenset(node.modifier.labels if node.modifier else ())) for node in found]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.place)
def test_a_query_reads_metrics_and_labels_that_a_worker_reports(query: Query, series: Series) -> None:
    expr = promql_parser.parse(query.expr)
    assert selected(expr)
    for name, labels in selected(expr):
        assert name in series
        assert labels <= series[name]
    for aggregate, labels in aggregates(expr):
        assert all(labels <= series[name] for name, _ in selected(aggregate))


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.place)
def test_a_legend_shows_labels_that_the_query_keeps(query: Query, series: Series) -> None:
    expr = promql_parser.parse(query.expr)
    kept = [labels for _, labels in aggregates(expr)] or [series[name] for name, _ in selected(expr)]
    assert query.legend <= frozenset().union(*kept)


def test_every_metric_is_shown_or_watched(metrics: list[Metric]) -> None:
    shown = {name for query in QUERIES for name, _ in selected(promql_parser.parse(query.expr))}
    unseen = [metric.name for metric in metrics if not shown & prometheus_series(metric).keys()]
    assert not unseen


def test_the_dashboards_are_those_that_are_described() -> None:
    described = dict(dashboards())
    assert {path.stem for path in described} == DASHBOARDS.keys()
    for path, text in described.items():
        assert path.read_text() == text, "run `make dashboards`"


def test_dashboards_and_panels_can_be_told_apart() -> None:
    assert len({dashboard.uid for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)
    for dashboard in DASHBOARDS.values():
        ids = [panel.id for panel in dashboard.panels]
        assert len(ids) == len(set(ids))


def test_panels_do_not_overlap() -> None:
    for dashboard in DASHBOARDS.values():
        taken = [
            (x, y)
            for panel in dashboard.panels
            for x in range(panel.grid_pos.x, panel.grid_pos.x + panel.grid_pos.w)
            for y in range(panel.grid_pos.y, panel.grid_pos.y + panel.grid_pos.h)
        ]
        assert len(taken) == len(set(taken))
        assert max(x for x, _ in taken) < 24


def test_grafana_begins_with_a_dashboard_that_there_is() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    home = Path(compose["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    provider = yaml.safe_load((PROVISIONING / "dashboards" / "dashboards.yaml").read_text())["providers"][0]
    assert home.parent == Path(provider["options"]["path"])
    assert home.stem in DASHBOARDS
    assert f"./deploy/grafana/dashboards:{home.parent}:ro" in compose["volumes"]


def test_the_runbook_names_dashboards_and_panels_that_there_are() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    named = set(re.findall(r"\*([A-Z][^*]+)\*", runbook.replace("**", "")))
    titles = {panel.title for panel in PANELS} | {panel.title.partition(",")[0] for panel in PANELS}
    assert named
    assert named <= titles | {"SRE", "Relevance and safety", "Producers"}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_a_panel_has_a_unit_and_a_provisioned_datasource(panel: Panel) -> None:
    provisioned = {(source.uid, source.type) for source in DATASOURCES}
    assert panel.datasource
    assert (panel.datasource.uid, panel.datasource.type) in provisioned
    assert panel.targets
    assert all(target.datasource == panel.datasource for target in panel.targets)
    assert panel.field_config
    assert panel.field_config.defaults.unit


def test_the_collector_uses_what_it_defines_and_defines_what_it_uses() -> None:
    pipelines = COLLECTOR.service.pipelines.values()
    assert {name for pipeline in pipelines for name in pipeline.receivers} == COLLECTOR.receivers.keys()
    assert {name for pipeline in pipelines for name in pipeline.processors} == COLLECTOR.processors.keys()
    assert {name for pipeline in pipelines for name in pipeline.exporters} == COLLECTOR.exporters.keys()


def test_prometheus_fetches_from_the_collector_what_the_workers_are_called() -> None:
    exporter = COLLECTOR.exporters["prometheus"]
    (scrape,) = PROMETHEUS.scrape_configs
    (target,) = scrape.static_configs[0].targets
    assert target == f"collector:{exporter.endpoint.split(':')[1]}"
    assert scrape.honor_labels
    assert exporter.translation_strategy == "UnderscoreEscapingWithSuffixes"


def test_addresses_are_services_of_the_compose_file() -> None:
    compose = msgspec.yaml.decode((ROOT / "docker-compose.yml").read_bytes(), type=dict[str, object])
    services = msgspec.convert(compose["services"], dict[str, object])
    urls = [source.url for source in DATASOURCES] + [COLLECTOR.exporters["otlp_http/jaeger"].endpoint]
    assert {urlsplit(url).hostname for url in urls} <= services.keys()


def test_prometheus_is_given_the_alerts() -> None:
    assert PROMETHEUS.rule_files == ["alerts.yaml"]


def test_promtool_agrees_to_the_configuration() -> None:
    require_prometheus()
    promtool("check", "config", "deploy/prometheus.yaml", folder=ROOT)
