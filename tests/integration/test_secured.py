"""A cluster with TLS, SASL and ACLs: what works, and the one line that says why something does not."""

import os
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the stubs forget to export some public classes
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.support.accounts import assert_accounted_for
from tests.support.kafka_cluster import SecuredKafka
from tests.support.ports import free_port
from tests.support.worker_process import Stream, fresh_stream, run_worker, wait_for

pytestmark = pytest.mark.xdist_group("secured")  # one broker with TLS and SASL


@pytest.fixture
def cluster(secured_kafka: SecuredKafka) -> SecuredKafka:
    return secured_kafka


class Rights:
    """What a user may do; everything that a worker needs, to begin with."""

    def __init__(self, cluster: SecuredKafka, stream: Stream, user: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
        self._user = f"User:{user}"
        for name, topic in stream.topics.items():
            self.grant(ResourceType.TOPIC, topic, AclOperation.READ if name == "raw" else AclOperation.WRITE)
        self.grant(ResourceType.GROUP, stream.group_id, AclOperation.READ)

    def grant(self, kind: ResourceType, name: str, operation: AclOperation) -> None:
        rule = (kind, name, ResourcePatternType.LITERAL, self._user, "*", operation, AclPermissionType.ALLOW)
        for done in self._admin.create_acls([AclBinding(*rule)]).values():
            done.result()

    def revoke(self, name: str) -> None:
        rule: Any = (ResourceType.ANY, name, ResourcePatternType.LITERAL, self._user, None)
        deleted = self._admin.delete_acls([AclBindingFilter(*rule, AclOperation.ANY, AclPermissionType.ANY)])  # type: ignore[call-arg]
        for done in deleted.values():
            assert done.result()


@pytest.fixture
def stream(cluster: SecuredKafka) -> Stream:
    return fresh_stream(cluster.bootstrap_servers, "secured", partitions=2)


@pytest.fixture
def rights(cluster: SecuredKafka, stream: Stream) -> Rights:
    return Rights(cluster, stream, cluster.user)


def login(cluster: SecuredKafka, **changes: object) -> dict[str, str]:
    """Settings, by their names, of a client that may log in."""
    settings = {
        "bootstrap_servers": cluster.secured_servers,
        "security_protocol": "sasl_ssl",
        "ssl_ca": cluster.certificate,
        "sasl_username": cluster.user,
        "sasl_password": cluster.password,
        **changes,
    }
    return {name: str(value) for name, value in settings.items() if value is not None}


def refused(stream: Stream, settings: Mapping[str, str]) -> str:
    """The one line of a worker that does not start."""
    given = {f"SLUICE_{name.upper()}": value for name, value in settings.items()}
    finished = subprocess.run(
        [sys.executable, "-m", "sluicegate", "worker"],
        env={**os.environ, **stream.environment, "SLUICE_HTTP_PORT": str(free_port()), **given},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 78, finished.stderr
    (line,) = finished.stderr.decode().splitlines()
    return line


@pytest.fixture
def token_url(cluster: SecuredKafka) -> Iterator[str]:
    """An endpoint that gives tokens, of the unsigned kind that a broker takes for tests, to whoever has the secret."""
    credentials = b64encode(f"{cluster.user}:{cluster.password}".encode()).decode()

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"]))
            known = self.headers["Authorization"] == f"Basic {credentials}" and b"client_credentials" in form
            now = int(time.time())
            parts = ({"alg": "none"}, {"sub": cluster.user, "iat": now, "exp": now + 60})
            token = ".".join(b64encode(orjson.dumps(part), b"-_").decode().rstrip("=") for part in parts) + "."
            self.send_response(200 if known else 401)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            granted = {"access_token": token, "expires_in": 60, "token_type": "Bearer"}
            self.wfile.write(orjson.dumps(granted if known else {"error": "invalid_client"}))

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/token"
        server.shutdown()


def test_a_worker_logs_in_with_a_token_of_an_oauth_endpoint(
    cluster: SecuredKafka, stream: Stream, rights: Rights, token_url: str, tmp_path: Path
) -> None:
    stream.produce([(None, b'{"query": "red shoes %d"}' % number, []) for number in range(20)])
    settings = login(cluster, sasl_mechanism="OAUTHBEARER", sasl_token_url=token_url)
    with run_worker(stream, tmp_path, **settings) as worker:
        stream.await_commits()
        worker.stop()
    assert_accounted_for(stream.inputs(), stream.outputs())
    assert cluster.password not in worker.log


def test_a_worker_logs_in_without_tls(cluster: SecuredKafka, stream: Stream, rights: Rights, tmp_path: Path) -> None:
    stream.produce([(None, b'{"query": "red shoes"}', [])])
    unencrypted = {"bootstrap_servers": cluster.login_servers, "security_protocol": "sasl_plaintext", "ssl_ca": None}
    with run_worker(stream, tmp_path, **login(cluster, sasl_mechanism="PLAIN", **unencrypted)) as worker:
        stream.await_commits()
        worker.stop()


def with_certificate(cluster: SecuredKafka, password: str | None) -> dict[str, str]:
    """Settings of a client that its certificate lets in."""
    return login(
        cluster,
        bootstrap_servers=cluster.mutual_servers,
        security_protocol="ssl",
        ssl_certificate=cluster.client_certificate,
        ssl_key=cluster.client_key,
        ssl_key_password=password,
        sasl_username=None,
        sasl_password=None,
    )


def test_a_worker_logs_in_with_a_certificate(cluster: SecuredKafka, stream: Stream, tmp_path: Path) -> None:
    Rights(cluster, stream, cluster.certified)
    stream.produce([(None, b'{"query": "red shoes"}', [])])
    password = tmp_path / "password-of-the-key"
    password.write_text(cluster.password + "\n")
    settings = {**with_certificate(cluster, None), "ssl_key_password_file": str(password)}
    with run_worker(stream, tmp_path, log_level="DEBUG", **settings) as worker:
        stream.await_commits()
        worker.stop()
    assert cluster.password not in worker.log


@pytest.mark.parametrize(
    ("password", "said"), [(None, "set SLUICE_SSL_KEY_PASSWORD"), ("wrong-horse", "SLUICE_SSL_KEY_PASSWORD does not")]
)
def test_a_key_that_cannot_be_read_is_one_line_and_no_prompt(
    cluster: SecuredKafka, stream: Stream, password: str | None, said: str
) -> None:
    line = refused(stream, with_certificate(cluster, password))
    assert said in line
    assert "horse" not in line


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_worker_that_logs_in_over_tls_decides_every_event_and_logs_no_password(
    cluster: SecuredKafka, stream: Stream, rights: Rights, tmp_path: Path, mechanism: str
) -> None:
    stream.produce([(None, b'{"query": "red shoes %d"}' % number, []) for number in range(50)])
    with run_worker(stream, tmp_path, log_level="DEBUG", **login(cluster, sasl_mechanism=mechanism)) as worker:
        stream.await_commits()
        worker.stop()
    outputs = stream.outputs()
    assert_accounted_for(stream.inputs(), outputs)
    assert cluster.password not in worker.log
    assert not any(cluster.password.encode() in output.value for output in outputs)


def test_a_password_is_read_from_a_file(cluster: SecuredKafka, stream: Stream, rights: Rights, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(cluster.password + "\n")
    settings = login(cluster, sasl_password=None, sasl_password_file=secret)
    with run_worker(stream, tmp_path, **settings) as worker:
        wait_for(lambda: worker.readiness()[0] == 200, 60, "the worker is not ready")
        worker.stop()


@pytest.mark.parametrize("first", ["file", "broker"])
def test_a_rotated_password_is_used_without_a_restart(
    cluster: SecuredKafka, stream: Stream, tmp_path: Path, first: str
) -> None:
    """Whether the file or the broker has the new password first, the worker decides and commits what comes next."""
    user, secret = f"rotated-{first}", tmp_path / "password"
    set_password(cluster, user, "first-horse")
    secret.write_text("first-horse\n")
    Rights(cluster, stream, user)
    settings = login(cluster, sasl_username=user, sasl_password=None, sasl_password_file=secret)
    with run_worker(stream, tmp_path, **settings) as worker:
        stream.produce([(None, b'{"query": "red shoes"}', [])])
        stream.await_commits()
        set_password(cluster, user, "second-horse")
        if first == "file":
            secret.write_text("second-horse\n")
        cluster.processes[0].kill()  # a connection that stands is not asked for the new password
        cluster.start(0)
        stream.produce([(None, b'{"query": "blue shoes %d"}' % number, []) for number in range(20)])
        if first == "broker":
            wait_for(lambda: "Authentication" in worker.log, 60, "the worker does not meet the new password")
            secret.write_text("second-horse\n")
        stream.await_commits()
        wait_for(lambda: worker.readiness()[0] == 200, 60, "the worker is not ready")
        worker.stop()
    assert_accounted_for(stream.inputs(), stream.outputs(), once=False)  # the broker was killed
    assert "horse" not in worker.log


def set_password(cluster: SecuredKafka, user: str, password: str) -> None:
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    change = UserScramCredentialUpsertion(user, how, password.encode())
    for done in admin.alter_user_scram_credentials([change]).values():
        done.result()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sasl_password": "wrong-horse"}, "authentication"),
        ({"sasl_password": "wrong-horse", "sasl_mechanism": "PLAIN"}, "authentication"),
        ({"ssl_ca": None}, "certificate"),
    ],
)
def test_a_login_that_fails_is_one_line_before_the_group_is_joined(
    cluster: SecuredKafka, stream: Stream, rights: Rights, changes: dict[str, Any], reason: str
) -> None:
    line = refused(stream, login(cluster, **changes))
    assert "refuses us" in line
    assert reason in line.lower()
    assert "SLUICE_SASL" in line
    assert "horse" not in line


def test_a_certificate_of_another_host_is_one_line_before_the_group_is_joined(
    cluster: SecuredKafka, stream: Stream, rights: Rights
) -> None:
    elsewhere = cluster.secured_servers.replace("127.0.0.1", "localhost")
    line = refused(stream, login(cluster, bootstrap_servers=elsewhere))
    assert "refuses us" in line
    assert "certificate verify failed" in line


def test_a_client_secret_that_is_refused_is_one_line_before_the_group_is_joined(
    cluster: SecuredKafka, stream: Stream, rights: Rights, token_url: str
) -> None:
    wrong = login(cluster, sasl_mechanism="OAUTHBEARER", sasl_token_url=token_url, sasl_password="wrong-horse")
    line = refused(stream, wrong)
    assert "refuses us" in line
    assert "horse" not in line


@pytest.mark.parametrize(("event", "operation"), [("recall", "Write"), ("ledger", "Write"), ("raw", "Read")])
def test_a_missing_right_is_named_at_start(
    cluster: SecuredKafka, stream: Stream, rights: Rights, event: str, operation: str
) -> None:
    topic = stream.topics[event]
    rights.revoke(topic)
    rights.grant(ResourceType.TOPIC, topic, AclOperation.DESCRIBE)
    line = refused(stream, login(cluster))
    assert f"does not let us {operation} on topic {topic}: grant it by ACLs" in line


def test_a_missing_right_on_the_group_is_named_at_start(cluster: SecuredKafka, stream: Stream, rights: Rights) -> None:
    rights.revoke(stream.group_id)
    assert f"does not let us Read on group {stream.group_id}" in refused(stream, login(cluster))


def test_a_hidden_topic_is_reported_as_missing_or_hidden(cluster: SecuredKafka, stream: Stream, rights: Rights) -> None:
    rights.revoke(stream.topics["recall"])
    assert f"has no topic {stream.topics['recall']}, or does not let us see it" in refused(stream, login(cluster))
