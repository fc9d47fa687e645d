"""What the Helm chart refuses, in a sentence that names the value; and the table of its values in the docs."""

import json
import tomllib
from collections.abc import Mapping
from typing import Any, get_args

import jsonschema_rs
import pytest
import yaml
from pydantic import SecretStr

from sluicegate.agents.settings import Settings
from sluicegate.agents.settings.variables import variable
from tests.support.chart import KEYS, Values, refusal, require_kubernetes_tools
from tests.support.chart_values import CHART, SETTINGS, TABLE, as_markdown, known_settings
from tests.unit.deploy.test_deploy import ROOT

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SERVE = {"enabled": True, **KEYS}
TWICE = [{"name": "kafka", "settings": {"SLUICE_SSL_CA": "ca"}}] * 2
UNKNOWN: list[Values] = [
    {"kafak": {}},
    {"kafka": {"bootstrapServers": "k:9092", "tls": True}},
    {"gate": {"replica": 3}},
    {"gate": {"autoscaling": {"maxReplicas": 3}}},
    {"model": {"initContainer": {"name": "x"}}},
    {"gate": {"resources": {"limit": {}}}},
    {"secrets": [{"name": "kafka", "settings": {"SLUICE_SSL_CA": "ca"}, "keys": []}]},
    {"networkPolicy": {"metricsFrom": [{"podselector": {}}]}},
]
WRONG: list[tuple[Values, str]] = [
    ({"kafka": {"bootstrapServers": ""}}, "kafka.bootstrapServers is missing: set it to the addresses of your brokers"),
    ({"kafka": {"bootstrapServers": "kafka"}}, "kafka.bootstrapServers is not a list of host:port"),
    ({"kafka": {"bootstrapServers": "user:secret@kafka:9092"}}, "without a scheme, a login or spaces"),
    ({"gate": {"replicas": 0}}, "replicas"),
    ({"gate": {"replicas": "2"}}, "replicas"),
    ({"gate": {"replicas": 5}}, "gate.replicas is 5, but the topic has gate.partitions=4 partitions"),
    ({"gate": {"replicas": 3, "autoscaling": {"enabled": True}}}, "remove gate.replicas, and set gate.autoscaling.min"),
    ({"serve": {**SERVE, "replicas": 3, "autoscaling": {"enabled": True}}}, "remove serve.replicas"),
    ({"gate": {"autoscaling": {"enabled": True, "minReplicas": 5}}}, "minReplicas is more than gate.partitions"),
    ({"model": {"source": "bucket"}}, "source"),
    ({"model": {"source": "volume"}}, "volume"),
    ({"model": {"source": "initContainer"}}, "initContainer"),
    ({"settings": {"SLUICE_BOOTSTRAP_SERVERS": "k:1"}}, "use kafka.bootstrapServers"),
    ({"settings": {"SLUICE_MODEL": "/m"}}, "use model.path"),
    ({"settings": {"SLUICE-WINDOW": 1}}, "settings: there is no setting SLUICE-WINDOW: docs/settings.md has the names"),
    ({"gate": {"settings": {"SLUICE_WINDOWS": 1}}}, "gate.settings: there is no setting SLUICE_WINDOWS"),
    ({"secrets": [{"name": "kafka", "settings": {"SLUICE_CA": "ca"}}]}, "secrets: there is no setting SLUICE_CA"),
    (
        {"serve": {"configMaps": [{"name": "policy", "settings": {"SLUICE_POLICIES": "p"}}]}},
        "serve.configMaps: there is no setting SLUICE_POLICIES",
    ),
    ({"secrets": TWICE}, "kafka is listed twice"),
    ({"serve": {"enabled": True}}, "serve needs API keys"),
    ({"serve": {**SERVE, "autoscaling": {"minReplicas": 11}}}, "minReplicas is more than serve.autoscaling.max"),
    ({"review": {"queue": {"enabled": True}}}, "set review.enabled to true"),
    ({"review": {"enabled": True, "queue": {"enabled": True}}}, "need each other"),
    ({"review": {"enabled": True, "settings": {"SLUICE_REVIEWERS": "api,people"}}}, "need each other"),
    (
        {
            "review": {
                "enabled": True,
                "replicas": 2,
                "queue": {"enabled": True},
                "settings": {"SLUICE_REVIEWERS": "people"},
            }
        },
        "set review.replicas to 1",
    ),
]


@pytest.mark.parametrize("values", UNKNOWN, ids=str)
def test_an_unknown_name_is_refused(values: Values) -> None:
    require_kubernetes_tools()
    assert "not allowed" in refusal(values)


@pytest.mark.parametrize(("values", "said"), WRONG, ids=str)
def test_a_value_that_cannot_work_is_refused_by_its_name(values: Values, said: str) -> None:
    require_kubernetes_tools()
    assert said in refusal(values)


def test_no_secret_can_be_written_into_the_values() -> None:
    require_kubernetes_tools()
    names = [variable(name) for name, field in Settings.model_fields.items() if SecretStr in get_args(field.annotation)]
    assert "SLUICE_SASL_PASSWORD" in names
    for name in names:
        said = refusal({"settings": {name: "correct-horse"}})
        assert f"{name} is a secret" in said
        assert f"{name}_FILE" in said
        assert "horse" not in said


def test_the_defaults_keep_to_the_schema_and_lack_the_brokers_alone() -> None:
    jsonschema_rs.validator_for(SCHEMA).validate(VALUES)
    assert not VALUES["kafka"]["bootstrapServers"]


def test_every_value_has_a_default_and_a_meaning() -> None:
    def walk(schema: Mapping[str, Any], values: Mapping[str, Any], path: str) -> None:
        assert set(schema["properties"]) - {"global"} == set(values), path
        for name, value in schema["properties"].items():
            assert value["description"], f"{path}.{name}"
            if "properties" in value:
                assert value["additionalProperties"] is False, f"{path}.{name}"
                walk(value, values[name], f"{path}.{name}")

    assert SCHEMA["additionalProperties"] is False
    walk(SCHEMA, VALUES, "")


def test_the_table_of_the_values_is_up_to_date() -> None:
    assert TABLE.read_text() == as_markdown(), "run `make docs`"


def test_the_list_of_the_settings_is_up_to_date() -> None:
    assert SETTINGS.read_text() == known_settings(), "run `make docs`"


def test_the_chart_has_the_version_of_the_package() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (version, version)
