"""What the registry refuses stops a process in one line that names the remedy."""

import base64
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sluicegate.agents.kafka.schema_registry import publish_schemas, wire_format_of
from sluicegate.agents.settings import load_settings
from sluicegate.schemas.errors import ConfigurationError, SchemaRegistryUnavailable


class Registry(ThreadingHTTPServer):
    """A stand-in that answers every request in the same way, and remembers them."""

    def __init__(self, status: int, answer: object) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.answer = status, answer
        self.asked: list[tuple[str, str | None, dict[str, str]]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers["Authorization"], body))
        self.send_response(self.server.status)
        self.end_headers()
        answer = self.server.answer
        self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering(status: int, answer: object, tls: ssl.SSLContext | None = None) -> Iterator[tuple[Registry, str]]:
    with Registry(status, answer) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server, f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_every_topic_gets_its_schema_and_ids_are_written_before_the_values() -> None:
    with answering(200, {"id": 258}) as (registry, url):
        settings = load_settings(schema_registry_url=f"{url}/", output_format="confluent", topic_recall="a.b")
        formats = wire_format_of(settings)
    assert formats["a.b"] == b"\x00\x00\x00\x01\x02"
    assert len(formats) == len(registry.asked) == len(settings.topics)
    paths = [path for path, _, _ in registry.asked]
    assert "/subjects/a.b-value/versions" in paths
    assert {body["schemaType"] for _, _, body in registry.asked} == {"JSON"}


def test_without_output_format_confluent_no_registry_is_asked() -> None:
    assert wire_format_of(load_settings(schema_registry_url="http://127.0.0.1:1")) == {}


def test_without_the_right_to_register_a_process_only_asks_for_the_ids() -> None:
    with answering(200, {"id": 1}) as (registry, url):
        publish_schemas(load_settings(schema_registry_url=url, schema_registry_register=False))
    assert {path for path, _, _ in registry.asked if path.endswith("/versions")} == set()


@pytest.mark.parametrize(
    ("status", "answer", "error", "said"),
    [
        (
            401,
            {},
            ConfigurationError,
            "refuses access to queries.raw-value (401): check SLUICE_SCHEMA_REGISTRY_USERNAME",
        ),
        (403, {}, ConfigurationError, "or the rights of this user"),
        (409, {"message": "incompatible"}, ConfigurationError, "compatibility of this subject to FORWARD"),
        (422, {"message": "no\nsuch\x1b[31m type"}, ConfigurationError, "answers 422 for queries.raw-value: no such"),
        (404, b"<html>", ConfigurationError, "answers 404 for queries.raw-value: Not Found"),
        (500, {"message": "x" * 5000}, SchemaRegistryUnavailable, "answers 500 for queries.raw-value: xxx"),
        (200, b"<html>", ConfigurationError, "does not answer as a schema registry: check its address"),
        (200, {"version": 1}, ConfigurationError, "does not answer as a schema registry: check its address"),
    ],
)
def test_the_error_is_one_line_with_a_remedy(status: int, answer: object, error: type[Exception], said: str) -> None:
    with answering(status, answer) as (_, url), pytest.raises(error) as refused:
        publish_schemas(load_settings(schema_registry_url=url))
    assert said in str(refused.value)
    assert len(str(refused.value)) < 500
    assert str(refused.value).isprintable()


def test_a_schema_that_is_not_there_is_to_be_published() -> None:
    with answering(404, {"message": "Schema not found"}) as (_, url), pytest.raises(ConfigurationError) as refused:
        publish_schemas(load_settings(schema_registry_url=url, schema_registry_register=False))
    assert "run `sluice schemas publish`" in str(refused.value)


def test_a_registry_that_is_not_there_is_named() -> None:
    with pytest.raises(SchemaRegistryUnavailable, match=r"cannot reach the schema registry at http://127.0.0.1:1 "):
        publish_schemas(load_settings(schema_registry_url="http://127.0.0.1:1"))


def test_the_login_is_sent_over_tls_to_a_registry_whose_authority_is_trusted(tmp_path: Path) -> None:
    key, certificate, password = tmp_path / "key.pem", tmp_path / "certificate.pem", tmp_path / "password"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate, *names], check=True, capture_output=True)
    password.write_text("correct-horse\n")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with answering(200, {"id": 1}, tls) as (registry, url):
        login = {"schema_registry_username": "worker", "schema_registry_password_file": password}
        publish_schemas(load_settings(schema_registry_url=url, schema_registry_ca=certificate, **login))
        with pytest.raises(SchemaRegistryUnavailable, match="certificate verify failed"):
            publish_schemas(load_settings(schema_registry_url=url, **login))
    expected = "Basic " + base64.b64encode(b"worker:correct-horse").decode()
    assert {authorization for _, authorization, _ in registry.asked} == {expected}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"output_format": "confluent"}, "SLUICE_OUTPUT_FORMAT=confluent needs SLUICE_SCHEMA_REGISTRY_URL"),
        ({"schema_registry_url": "registry:8081"}, "SLUICE_SCHEMA_REGISTRY_URL: must begin with http"),
        ({"schema_registry_url": "http://user:secret@registry"}, "SLUICE_SCHEMA_REGISTRY_URL: must not contain a user"),
        ({"schema_registry_username": "worker"}, "must be set together"),
        ({"schema_registry_ca": "/nowhere"}, "SLUICE_SCHEMA_REGISTRY_CA: cannot read /nowhere"),
    ],
)
def test_wrong_settings_are_named(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(**given)
    assert said in str(refused.value)
    assert "secret@" not in str(refused.value)
