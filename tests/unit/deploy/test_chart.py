"""Every switch of the Helm chart: what it renders is valid, and fits the worker that it runs."""

import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluicegate.agents.cli.worker import AgentName
from sluicegate.agents.settings import ENV_PREFIX, Settings, load_settings
from tests.support.chart import (
    ALL_ON,
    BROKERS,
    KEYS,
    NAME,
    Values,
    environment_of,
    of_kind,
    pods_of,
    refusal,
    render,
    require_kubernetes_tools,
    validate,
)
from tests.support.chart_values import CHART
from tests.support.kubernetes_tools import HELM, KUBERNETES_VERSIONS
from tests.unit.deploy.test_deploy import ROOT, dockerfile_stages, last

AGENTS = ("gate", "review", "format")
COMPONENTS = (*AGENTS, "serve")
SIGNAL_S = 5.0
"""Time for the signal to arrive, and for the kubelet to see the end."""
PREFLIGHT_AND_MODEL_S = 60


@pytest.fixture(autouse=True)
def _tools() -> None:
    require_kubernetes_tools()


def only(component: str, **values: Any) -> dict[str, Any]:
    """The values with one component alone."""
    own = KEYS if component == "serve" else {}
    return {"gate": {"enabled": False}, component: {"enabled": True, **own, **values}}


@contextmanager
def settings_of(pod: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The settings that the code reads in a pod, but for files, which only a cluster mounts."""
    with monkeypatch.context() as patch:
        for name, value in environment_of(pod).items():
            if not value.startswith(("/run/secrets/", "/etc/sluicegate/")):
                patch.setenv(name, value)
        yield load_settings()


def stop_s(component: str, settings: Settings) -> float:
    """The longest that the stop of a component can take, by the code."""
    return {
        "gate": lambda: settings.time_budget.stop_s,
        "review": lambda: settings.review_time_budget.stop_s,
        "format": lambda: settings.format_time_budget.stop_s,
        "serve": lambda: settings.serve_stop_s,
    }[component]()


def test_the_chart_is_linted_without_a_warning() -> None:
    given = json.dumps({"kafka": {"bootstrapServers": BROKERS}})
    linted = subprocess.run(
        [HELM, "lint", "--strict", CHART, "--values", "-"], input=given, capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("values", [{}, ALL_ON], ids=["the defaults", "everything on"])
def test_the_chart_is_valid_for_the_oldest_and_a_new_kubernetes(values: Values) -> None:
    validate(render(values), KUBERNETES_VERSIONS)


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_is_one_deployment_that_runs_one_command(component: str, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = render(only(component))
    validate(manifests)
    [(name, pod)] = pods_of(manifests).items()
    assert name == component
    expected = ["serve"] if component == "serve" else ["worker", str(AgentName(component))]
    assert pod["containers"][0]["args"] == expected
    assert {name.lower().removeprefix(ENV_PREFIX.lower()) for name in environment_of(pod)} <= set(Settings.model_fields)
    with settings_of(pod, monkeypatch) as settings:
        assert settings.bootstrap_servers == BROKERS
        assert (settings.http_host, settings.http_port) == (
            "0.0.0.0",
            pod["containers"][0]["ports"][0]["containerPort"],
        )


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"SLUICE_DEADLINE_MS": 7001, "SLUICE_REVIEW_DEADLINE_MS": "33000", "SLUICE_FORMAT_DEADLINE_MS": 4999},
        {"SLUICE_PUBLISH_TIMEOUT_MS": 12345, "SLUICE_DEDUP_WINDOW": 1_000_000, "SLUICE_REVIEW_DEADLINE_MS": 20_000},
        {"SLUICE_HTTP_READ_TIMEOUT_MS": 120_000, "SLUICE_HTTP_LEDGER": "kafka", "SLUICE_DEDUP_WINDOW": 0},
    ],
    ids=str,
)
def test_a_pod_is_given_as_long_as_its_stop_can_take_by_the_code(
    component: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = pods_of(render({**only(component), "settings": settings}))[component]
    sleep_s = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    with settings_of(pod, monkeypatch) as read:
        spare_s = pod["terminationGracePeriodSeconds"] - sleep_s - stop_s(component, read)
    assert SIGNAL_S < spare_s <= SIGNAL_S + 4


def test_the_settings_of_a_component_come_before_those_of_all() -> None:
    values = {"settings": {"SLUICE_LOG_LEVEL": "WARNING", "SLUICE_WINDOW": 512}, **only("gate")}
    values["gate"]["settings"] = {"SLUICE_WINDOW": 65536, "SLUICE_TRACE_SAMPLE_RATIO": 0.25}
    environment = environment_of(pods_of(render(values))["gate"])
    assert environment["SLUICE_LOG_LEVEL"] == "WARNING"
    assert environment["SLUICE_WINDOW"] == "65536"
    assert environment["SLUICE_TRACE_SAMPLE_RATIO"] == "0.25"


def test_no_pod_has_a_privilege_and_all_run_as_the_images_user() -> None:
    user, group = map(int, last(dockerfile_stages()[-1], "USER").split(":"))
    for pod in pods_of(render(ALL_ON)).values():
        context = pod["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"], context["runAsNonRoot"]) == (user, group, True)
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        [container] = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"memory"} == set(container["resources"]["limits"])
        assert {"memory", "cpu"} == set(container["resources"]["requests"])
        assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]


def test_probes_ask_for_pages_that_exist_and_a_start_is_given_its_time() -> None:
    for pod in pods_of(render({**ALL_ON, "gate": {"startupSeconds": 301}})).values():
        [container] = pod["containers"]
        assert container["startupProbe"]["httpGet"] == container["livenessProbe"]["httpGet"]
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
        start_s = container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"]
        assert start_s >= (301 if container["name"] == "gate" else PREFLIGHT_AND_MODEL_S)


def test_the_model_is_in_the_image_unless_said_otherwise() -> None:
    assert "SLUICE_MODEL" not in environment_of(pods_of(render({}))["gate"])
    pod = pods_of(render({"model": {"path": "/opt/qwen3"}}))["gate"]
    assert environment_of(pod)["SLUICE_MODEL"] == "/opt/qwen3"


@pytest.mark.parametrize(("path", "served"), [("qwen3/v2", "/models/qwen3/v2"), ("", "/models")])
def test_the_model_comes_from_a_volume_that_nobody_can_write_to(path: str, served: str) -> None:
    volume = {"persistentVolumeClaim": {"claimName": "models"}}
    manifests = render({"model": {"source": "volume", "path": path, "volume": volume}})
    validate(manifests)
    pod = pods_of(manifests)["gate"]
    assert environment_of(pod)["SLUICE_MODEL"] == served
    assert {"name": "models", **volume} in pod["volumes"]
    assert {"name": "models", "mountPath": "/models", "readOnly": True} in pod["containers"][0]["volumeMounts"]


def test_the_model_is_copied_by_an_init_container_without_privileges() -> None:
    copies = {"image": "registry/models:1", "command": ["cp", "-r", "/qwen3", "/models/qwen3"], "sizeLimit": "2Gi"}
    manifests = render({"model": {"source": "initContainer", "path": "qwen3", "initContainer": copies}})
    validate(manifests)
    pod = pods_of(manifests)["gate"]
    [init] = pod["initContainers"]
    assert (init["image"], init["command"]) == (copies["image"], copies["command"])
    assert init["securityContext"] == pod["containers"][0]["securityContext"]
    assert {"name": "models", "mountPath": "/models"} in init["volumeMounts"]
    assert {"name": "models", "emptyDir": {"sizeLimit": "2Gi"}} in pod["volumes"]


def test_secrets_and_config_maps_are_files_that_settings_name() -> None:
    values = {
        "secrets": [{"name": "kafka.user", "settings": {"SLUICE_SASL_PASSWORD_FILE": "password"}}],
        "configMaps": [{"name": "policy", "settings": {"SLUICE_POLICY": "policy.toml"}}],
        **only("format"),
    }
    values["format"]["configMaps"] = [{"name": "forms", "settings": {"SLUICE_FORMAT_SCHEMAS": ""}}]
    manifests = render(values)
    validate(manifests)
    pod = pods_of(manifests)["format"]
    environment = environment_of(pod)
    assert environment["SLUICE_SASL_PASSWORD_FILE"] == "/run/secrets/sluicegate/kafka.user/password"
    assert environment["SLUICE_POLICY"] == "/etc/sluicegate/policy/policy.toml"
    assert environment["SLUICE_FORMAT_SCHEMAS"] == "/etc/sluicegate/forms"
    mounted = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    sources = {volume.pop("name"): volume for volume in pod["volumes"]}
    secret = sources[mounted["/run/secrets/sluicegate/kafka.user"]]["secret"]
    assert secret == {"secretName": "kafka.user", "defaultMode": 0o440}
    assert sources[mounted["/etc/sluicegate/forms"]] == {"configMap": {"name": "forms"}}


@pytest.mark.parametrize("component", AGENTS)
def test_keda_scales_an_agent_by_the_lag_of_its_group_up_to_its_partitions(
    component: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"SLUICE_GROUP_ID": "shop", "SLUICE_TOPIC_RAW": "shop.raw"}
    for settings in ({}, names):
        scaling = {"enabled": True, "stabilizationSeconds": 600, "authentication": "kafka"}
        manifests = render({**only(component, partitions=12, autoscaling=scaling), "settings": settings})
        validate(manifests)
        [scaled] = of_kind(manifests, "ScaledObject").values()
        [deployment] = of_kind(manifests, "Deployment").values()
        assert scaled["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
        assert "replicas" not in deployment["spec"]
        assert not of_kind(manifests, "HorizontalPodAutoscaler")
        assert scaled["spec"]["maxReplicaCount"] == 12
        behavior = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 600
        [trigger] = scaled["spec"]["triggers"]
        assert trigger["authenticationRef"] == {"name": "kafka"}
        with settings_of(pods_of(manifests)[component], monkeypatch) as read:
            groups = {
                "gate": (read.topic_raw, read.group_id),
                "review": (read.topic_review, read.review_consumer_group),
                "format": (read.topic_actions_raw, read.format_consumer_group),
            }
        assert (trigger["metadata"]["topic"], trigger["metadata"]["consumerGroup"]) == groups[component]
        assert trigger["metadata"]["bootstrapServers"] == BROKERS


def test_an_agent_has_no_second_autoscaler_and_the_http_api_has_one_of_its_own() -> None:
    assert "hpa" in refusal({"gate": {"autoscaling": {"enabled": True}, "hpa": {"enabled": True}}})
    manifests = render(only("serve", autoscaling={"enabled": True, "minReplicas": 3, "maxReplicas": 9}))
    validate(manifests)
    [scaler] = of_kind(manifests, "HorizontalPodAutoscaler").values()
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (3, 9)
    assert "replicas" not in of_kind(manifests, "Deployment")["serve"]["spec"]
    assert not of_kind(manifests, "ScaledObject")


def test_the_network_policy_lets_out_to_kafka_and_to_the_addresses_in_the_settings() -> None:
    addresses = {"SLUICE_OTLP_ENDPOINT": "http://collector:4318", "SLUICE_UPSTREAM": "https://api.example.org/v1"}
    prometheus = {"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}
    values = {
        **only("serve", settings=addresses),
        "format": {"enabled": True},
        "networkPolicy": {"metricsFrom": [prometheus], "egress": [{"ports": [{"port": 8443}]}]},
    }
    manifests = render(values)
    validate(manifests)
    policies = of_kind(manifests, "NetworkPolicy")
    names, services, extra = policies["serve"]["spec"]["egress"]
    assert {each["port"] for each in names["ports"]} == {53}
    assert {each["port"] for each in services["ports"]} == {9093, 9094, 4318, 443}
    assert extra == {"ports": [{"port": 8443}]}
    assert policies["serve"]["spec"]["ingress"][0]["from"] == [prometheus, {"podSelector": {}}]
    assert {each["port"] for each in policies["format"]["spec"]["egress"][1]["ports"]} == {9093, 9094}
    assert policies["format"]["spec"]["ingress"][0]["from"] == [prometheus]
    assert of_kind(render({}), "NetworkPolicy")["gate"]["spec"]["ingress"] == []
    assert not of_kind(render({"networkPolicy": {"enabled": False}}), "NetworkPolicy")


def test_disruptions_and_the_spread_over_zones_are_switches() -> None:
    manifests = render({"podDisruptionBudget": {"maxUnavailable": "25%"}})
    validate(manifests)
    [budget] = of_kind(manifests, "PodDisruptionBudget").values()
    labels = of_kind(manifests, "Deployment")["gate"]["spec"]["template"]["metadata"]["labels"]
    assert budget["spec"]["maxUnavailable"] == "25%"
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
    spread = pods_of(manifests)["gate"]["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    off = render({"podDisruptionBudget": {"enabled": False}, "topologySpread": {"enabled": False}})
    assert not of_kind(off, "PodDisruptionBudget")
    assert "topologySpreadConstraints" not in pods_of(off)["gate"]


def test_the_review_queue_is_a_volume_of_the_only_review_worker() -> None:
    values = only("review", queue={"enabled": True, "size": "1Gi"}, settings={"SLUICE_REVIEWERS": "people"})
    manifests = render(values)
    validate(manifests)
    [claim] = of_kind(manifests, "PersistentVolumeClaim").values()
    pod = pods_of(manifests)["review"]
    assert {"name": "queue", "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}} in pod["volumes"]
    [mount] = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "queue"]
    assert environment_of(pod)["SLUICE_REVIEW_QUEUE"].startswith(f"{mount['mountPath']}/")
    assert of_kind(manifests, "Deployment")["review"]["spec"]["strategy"] == {"type": "Recreate"}


def test_prometheus_scrapes_every_component_as_the_job_that_the_alerts_select() -> None:
    manifests = render(ALL_ON)
    [monitor] = of_kind(manifests, "ServiceMonitor").values()
    selected = monitor["spec"]["selector"]["matchLabels"]
    services = of_kind(manifests, "Service")
    assert set(services) == set(COMPONENTS)
    [endpoint] = monitor["spec"]["endpoints"]
    for service in services.values():
        assert selected.items() <= service["metadata"]["labels"].items()
        assert [port["name"] for port in service["spec"]["ports"]] == [endpoint["port"]]
    assert {"action": "replace", "targetLabel": "job", "replacement": "sluicegate"} in endpoint["relabelings"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert not of_kind(render({}), "ServiceMonitor")


def test_the_alerts_are_those_of_deploy_in_the_packaged_chart_too(tmp_path: Path) -> None:
    alerts = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text())
    subprocess.run([HELM, "package", CHART, "--destination", tmp_path], check=True, capture_output=True)
    [package] = tmp_path.glob("*.tgz")
    for chart in (CHART, package):
        [rule] = of_kind(render({"prometheusRule": {"enabled": True}}, chart=chart), "PrometheusRule").values()
        assert rule["spec"] == alerts
    with tarfile.open(package) as archive:
        assert all(member.isfile() for member in archive.getmembers())
    assert not of_kind(render({}), "PrometheusRule")


def test_the_alerts_link_to_where_the_runbook_is_published() -> None:
    address = "https://docs.example.com/sluicegate/runbook/"
    rendered = render({"prometheusRule": {"enabled": True, "runbookUrl": address}})
    [rule] = of_kind(rendered, "PrometheusRule").values()
    for alert in (each for group in rule["spec"]["groups"] for each in group["rules"] if "alert" in each):
        assert alert["annotations"]["runbook_url"] == f"{address}#{alert['alert'].lower()}"


def test_names_of_objects_begin_with_the_releases() -> None:
    assert all(each["metadata"]["name"].startswith(NAME) for each in render(ALL_ON))
