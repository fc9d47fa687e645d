"""The Helm chart, rendered by Helm and validated by kubeconform."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from tests.support.chart_values import CHART
from tests.support.kubernetes_tools import CRDS, HELM, KUBECONFORM, KUBERNETES_VERSIONS, missing, schemas
from tests.support.required import give_up

Values: TypeAlias = Mapping[str, Any]
Manifest: TypeAlias = dict[str, Any]

RELEASE = "shop"
NAME = f"{RELEASE}-sluicegate"
BROKERS = "kafka-0.kafka:9093,kafka-1.kafka:9094"
KEYS = {"secrets": [{"name": "http-keys", "settings": {"SLUICE_HTTP_KEYS": "keys"}}]}
ALL_ON: Values = {
    "gate": {"autoscaling": {"enabled": True}},
    "review": {"enabled": True, "queue": {"enabled": True}, "settings": {"SLUICE_REVIEWERS": "people"}},
    "format": {"enabled": True, "autoscaling": {"enabled": True}},
    "serve": {"enabled": True, "autoscaling": {"enabled": True}, **KEYS},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
}
"""Everything that can be switched on together."""


def require_kubernetes_tools() -> None:
    """Skip the test where Helm or kubeconform is missing, or fail it if REQUIRE_KUBERNETES_TOOLS is 1, as in CI."""
    if reason := missing():
        give_up("REQUIRE_KUBERNETES_TOOLS", reason)


def render(values: Values, *, chart: Path = CHART) -> list[Manifest]:
    """The manifests of the chart. `values` need not name the brokers."""
    done = template(values, chart=chart)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def refusal(values: Values) -> str:
    """What Helm says of values that it refuses, when it renders them. It refuses them when it lints too."""
    linted = _helm(values, "lint", CHART)
    assert linted.returncode != 0, linted.stdout
    done = template(values)
    assert done.returncode != 0, done.stdout
    return done.stderr


def template(values: Values, *, chart: Path = CHART) -> subprocess.CompletedProcess[str]:
    return _helm(values, "template", RELEASE, chart, "--namespace", "search")


def _helm(values: Values, *command: str | Path) -> subprocess.CompletedProcess[str]:
    given = json.dumps({"kafka": {"bootstrapServers": BROKERS}, **values})
    return subprocess.run([HELM, *command, "--values", "-"], input=given, capture_output=True, text=True, check=False)


def validate(manifests: Sequence[Manifest], versions: Sequence[str] = KUBERNETES_VERSIONS[-1:]) -> None:
    """Hold the manifests against the schemas of Kubernetes, KEDA and the Prometheus Operator."""
    for version in versions:
        locations = (
            f"{schemas(version)}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json",
            f"{CRDS}/{{{{.Group}}}}_{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json",
        )
        given = [each for location in locations for each in ("-schema-location", location)]
        done = subprocess.run(
            [KUBECONFORM, "-strict", *given],
            input=yaml.safe_dump_all(manifests),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def of_kind(manifests: Sequence[Manifest], kind: str) -> dict[str, Manifest]:
    """The manifests of a kind, by their names without the release's."""
    return {
        each["metadata"]["name"].removeprefix(NAME).removeprefix("-"): each
        for each in manifests
        if each["kind"] == kind
    }


def pods_of(manifests: Sequence[Manifest]) -> dict[str, Any]:
    """The specifications of the pods, by component."""
    return {name: each["spec"]["template"]["spec"] for name, each in of_kind(manifests, "Deployment").items()}


def environment_of(pod: Mapping[str, Any]) -> dict[str, str]:
    """The variables of a pod's container."""
    return {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
