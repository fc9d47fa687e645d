"""docker-compose.yml and the image fit the worker that they run. The tests need no Docker engine."""

import json
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from xml.etree import ElementTree

import jsonschema_rs
import msgspec
import pytest

from sluicegate.agents.cli.worker import AgentName
from sluicegate.agents.settings import ENV_PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[3]
COMPOSE_FILE = ROOT / "docker-compose.yml"
COMPOSE_SCHEMA = ROOT / "tests" / "deploy" / "compose-spec.json"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
DOCKER_S = 2.0
"""Time for the signal to arrive, and for Docker to see the end."""
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+\S*")


class Dependency(msgspec.Struct):
    condition: str


class Healthcheck(msgspec.Struct):
    disable: bool = False


class Service(msgspec.Struct):
    image: str
    build: dict[str, str] | None = None
    command: list[str] = []
    environment: dict[str, str] = {}
    ports: list[str] = []
    volumes: list[str] = []
    depends_on: dict[str, Dependency] = {}
    healthcheck: Healthcheck | None = None
    stop_grace_period: str = "10s"
    read_only: bool = False
    cap_drop: list[str] = []
    security_opt: list[str] = []


class Compose(msgspec.Struct):
    services: dict[str, Service]
    volumes: dict[str, None]


class Listener(msgspec.Struct):
    endpoint: str


class Receiver(msgspec.Struct):
    protocols: dict[str, Listener]


class Collector(msgspec.Struct):
    receivers: dict[str, Receiver]


class Instruction(NamedTuple):
    word: str
    rest: str


COMPOSE = msgspec.yaml.decode(COMPOSE_FILE.read_bytes(), type=Compose)
SERVICES = COMPOSE.services
WORKER = SERVICES["worker"]


def dockerfile_stages() -> list[list[Instruction]]:
    lines = [line for line in DOCKERFILE.read_text().splitlines() if line.strip() and not line.startswith("#")]
    stages: list[list[Instruction]] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        instruction = Instruction(*line.split(maxsplit=1))
        if instruction.word == "FROM":
            stages.append([])
        stages[-1].append(instruction)
    return stages


def last(stage: list[Instruction], word: str) -> str:
    return [instruction.rest for instruction in stage if instruction.word == word][-1]


def image_environment() -> dict[str, str]:
    """The settings that the image itself brings."""
    pairs = (pair.split("=", 1) for pair in shlex.split(last(dockerfile_stages()[-1], "ENV")))
    return {name: value for name, value in pairs if name.startswith(ENV_PREFIX)}


@contextmanager
def environment_of(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    with monkeypatch.context() as patch:
        for name in os.environ:
            if name.startswith((ENV_PREFIX, "OTEL_")):
                patch.delenv(name)
        image = image_environment() if service.build else {}
        for name, value in {**image, **service.environment}.items():
            patch.setenv(name, value)
        yield load_settings()


def test_the_compose_file_keeps_to_the_compose_specification() -> None:
    document = msgspec.yaml.decode(COMPOSE_FILE.read_bytes())
    jsonschema_rs.validator_for(json.loads(COMPOSE_SCHEMA.read_text())).validate(document)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_services_that_can_become_what_it_waits_for(name: str) -> None:
    for other, dependency in SERVICES[name].depends_on.items():
        if dependency.condition == "service_healthy":
            healthcheck = SERVICES[other].healthcheck
            assert healthcheck is not None
            assert not healthcheck.disable
        else:
            assert dependency.condition == "service_completed_successfully"
            assert SERVICES[other].command == ["topics", "create"]


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_built_here_or_pinned_to_a_version(name: str) -> None:
    service = SERVICES[name]
    if service.build:
        assert (ROOT / service.build["context"] / service.build["dockerfile"]).samefile(DOCKERFILE)
    else:
        assert PINNED.fullmatch(service.image)


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_to_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") and port.count(":") == 2 for port in SERVICES[name].ports)


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_exists(name: str) -> None:
    for source, _target, *mode in (volume.split(":") for volume in SERVICES[name].volumes):
        if source.startswith("."):
            assert (ROOT / source).exists()
            assert mode == ["ro"]
        else:
            assert source in COMPOSE.volumes


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_is_in_the_compose_file(name: str) -> None:
    secret = re.compile("PASSWORD|SECRET|TOKEN|KEY$")  # SLUICE_HTTP_KEYS is the path of a file of hashes
    assert not [variable for variable in SERVICES[name].environment if secret.search(variable)]


@pytest.mark.parametrize("name", ["worker", "review", "format", "topics"])
def test_our_containers_get_settings_that_exist_and_reach_kafka(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service = SERVICES[name]
    unknown = {
        variable
        for variable in service.environment
        if variable.startswith(ENV_PREFIX) and variable.removeprefix(ENV_PREFIX).lower() not in Settings.model_fields
    }
    assert not unknown
    advertised = SERVICES["kafka"].environment["KAFKA_ADVERTISED_LISTENERS"].split(",")
    with environment_of(service, monkeypatch) as settings:
        assert f"INTERNAL://{settings.bootstrap_servers}" in advertised


@pytest.mark.parametrize("name", ["worker", "review", "format", "topics", "serve"])
def test_our_containers_have_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service.read_only
    assert service.cap_drop == ["ALL"]
    assert service.security_opt == ["no-new-privileges:true"]


def test_the_worker_answers_on_the_port_that_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    with environment_of(WORKER, monkeypatch) as settings:
        assert settings.http_host == "0.0.0.0"
        assert WORKER.ports == [f"127.0.0.1:{settings.http_port}:{settings.http_port}"]


def test_the_http_api_answers_on_the_port_that_is_published_and_only_to_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    service = SERVICES["serve"]
    with environment_of(service, monkeypatch) as settings:
        assert settings.http_host == "0.0.0.0"
        assert service.ports[0].endswith(f":{settings.http_port}")
        assert settings.http_keys is not None
        assert [volume.split(":")[1] for volume in service.volumes] == [str(settings.http_keys.parent)]
        assert float(service.stop_grace_period.removesuffix("s")) > settings.serve_stop_s + DOCKER_S


def test_the_worker_reports_to_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    with environment_of(WORKER, monkeypatch) as settings:
        endpoint = urlsplit(settings.otlp_endpoint or "")
    collector = msgspec.yaml.decode((ROOT / "deploy" / "collector.yaml").read_bytes(), type=Collector)
    assert endpoint.hostname == "collector"
    assert collector.receivers["otlp"].protocols["http"].endpoint == f"0.0.0.0:{endpoint.port}"


def test_the_worker_is_given_time_to_finish_what_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    with environment_of(WORKER, monkeypatch) as settings:
        assert float(WORKER.stop_grace_period.removesuffix("s")) > settings.time_budget.stop_s + DOCKER_S


@pytest.mark.parametrize("agent", [AgentName.REVIEW, AgentName.FORMAT])
def test_the_other_agents_are_commands_that_exist_with_a_port_and_a_time_to_stop_of_their_own(
    agent: AgentName, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = SERVICES[agent]
    assert service.command == ["worker", agent]
    with environment_of(service, monkeypatch) as settings:
        budget = {AgentName.REVIEW: settings.review_time_budget, AgentName.FORMAT: settings.format_time_budget}[agent]
        assert [port.split(":")[2] for port in service.ports] == [str(settings.http_port)]
        assert float(service.stop_grace_period.removesuffix("s")) > budget.stop_s + DOCKER_S
        if settings.review_queue:
            assert [volume.split(":")[1] for volume in service.volumes] == [str(settings.review_queue.parent)]
    published = [port.split(":")[1] for other in SERVICES.values() for port in other.ports]
    assert len(set(published)) == len(published)


def test_the_image_is_probed_from_outside_of_its_container(monkeypatch: pytest.MonkeyPatch) -> None:
    with environment_of(msgspec.structs.replace(WORKER, environment={}), monkeypatch) as settings:
        assert settings.http_host == "0.0.0.0"


def test_kafka_advertises_a_published_address_to_clients_on_the_host() -> None:
    kafka = SERVICES["kafka"]
    port = kafka.ports[0].split(":")[1]
    assert f"HOST://localhost:{port}" in kafka.environment["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert f"HOST://:{port}" in kafka.environment["KAFKA_LISTENERS"].split(",")


def test_kafka_is_the_version_that_the_integration_tests_run() -> None:
    pom = ElementTree.parse(ROOT / "tests" / "support" / "kafka" / "pom.xml")
    version = pom.findtext(".//{*}properties/{*}kafka.version")
    assert SERVICES["kafka"].image == f"apache/kafka:{version}"


def test_base_images_are_pinned_and_nothing_comes_from_a_url() -> None:
    for stage in dockerfile_stages():
        assert PINNED.match(stage[0].rest)
        assert not [instruction for instruction in stage if instruction.word == "ADD"]


def test_the_image_runs_sluice_as_a_user_without_privileges() -> None:
    stage = dockerfile_stages()[-1]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    user, group = last(stage, "USER").split(":")
    assert int(user) > 0 < int(group)
    assert set(json.loads(last(stage, "ENTRYPOINT"))) <= set(scripts)
    assert not [instruction for instruction in stage if instruction.word == "RUN"]


def test_every_package_is_built_into_the_image() -> None:
    copied = {source for word, rest in dockerfile_stages()[0] if word == "COPY" for source in rest.split()[:-1]}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert (
        copied
        == let_in
        == {
            *("pyproject.toml", "uv.lock", "README.md", "LICENSE", "NOTICE"),
            "sluicegate",
            *(link.name for link in (ROOT / "sluicegate").iterdir() if link.is_symlink()),
        }
    )


class Health(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (None, False)])
def test_the_image_is_healthy_when_healthz_says_so(status: int | None, healthy: bool) -> None:
    command = json.loads(last(dockerfile_stages()[-1], "HEALTHCHECK").partition("CMD ")[2])
    assert command[0] == "python"
    with HTTPServer(("127.0.0.1", 0), type("Answer", (Health,), {"status": status})) as server:
        port = server.server_port
        if status is None:
            server.server_close()
        else:
            threading.Thread(target=server.handle_request, name="healthz", daemon=True).start()
        done = subprocess.run(
            [sys.executable, *command[1:]], env={"SLUICE_HTTP_PORT": str(port)}, capture_output=True, check=False
        )
    assert (done.returncode == 0) == healthy


def test_the_health_check_asks_the_default_port() -> None:
    stage = dockerfile_stages()[-1]
    port = str(Settings.model_fields["http_port"].default)
    assert f"'{port}'" in last(stage, "HEALTHCHECK")
    assert last(stage, "EXPOSE") == port
