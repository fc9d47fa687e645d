"""`sluice topics plan`: what it says is missing is missing, and what it prints or applies is enough for a worker."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the stubs forget to export some public classes
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from sluicegate.agents.local.embedded_broker import EmbeddedBroker
from sluicegate.schemas.errors import ExitCode
from tests.support import kafka_cluster
from tests.support.brokers import Broker
from tests.support.command import sluice
from tests.support.kafka_cluster import SecuredKafka, write_kafka_scripts
from tests.support.worker_process import OUTPUTS, Stream, fresh_stream, run_worker, wait_for

CERTIFIED = f"User:{SecuredKafka.certified}"


def existing_topics(servers: str) -> set[str]:
    return set(AdminClient({"bootstrap.servers": servers, "log_level": 0}).list_topics(timeout=10).topics)


def unmade_stream(servers: str) -> Stream:
    """A stream whose topics do not exist."""
    made = fresh_stream(servers, "planned", partitions=1)
    topics = {name: f"{topic}.unmade" for name, topic in made.topics.items()}
    return Stream(servers, topics, f"{made.group_id}.unmade")


def created_by(script: str) -> set[str]:
    return set(re.findall(r"--create --if-not-exists --topic (\S+)", script))


def plan(stream: Stream, *arguments: str, **settings: object) -> tuple[int, str]:
    """The exit code and the script of `sluice topics plan`; standard error goes into the script if there is any."""
    given = {f"SLUICE_{name.upper()}": str(value) for name, value in settings.items()}
    done = sluice("topics", "plan", *arguments, environment={**stream.environment, **given})
    return done.returncode, (done.stdout + done.stderr).decode()


def test_a_plan_names_the_missing_topics_of_the_agents_in_use_and_applies_them_when_asked(broker: Broker) -> None:
    stream = unmade_stream(broker.bootstrap_servers)
    of_the_gate = {stream.topics[name] for name in ("raw", *OUTPUTS)}

    code, script = plan(stream, "--agent", "gate", "--partitions", "3")
    assert (code, created_by(script)) == (ExitCode.MISSING, of_the_gate)
    assert "kafka-acls.sh" not in script
    assert not of_the_gate & existing_topics(broker.bootstrap_servers)

    assert plan(stream, "--agent", "gate", "--partitions", "3", "--apply")[0] == ExitCode.OK
    assert of_the_gate <= existing_topics(broker.bootstrap_servers)
    code, script = plan(stream, "--agent", "gate")
    assert (code, created_by(script)) == (ExitCode.OK, set())

    code, script = plan(stream)
    rest = {stream.topics[name] for name in ("reviewed", "actions_raw", "actions_formatted")}
    assert (code, created_by(script)) == (ExitCode.MISSING, rest)


@pytest.mark.parametrize("kind", ["embedded", "apache"])
def test_a_broker_without_an_authorizer_leads_to_a_plan_of_topics_alone(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "apache" and (reason := kafka_cluster.available()):
        pytest.skip(f"no real Kafka: {reason}")
    of_an_authorizer = re.compile(r"^(authorizer|super\.users|allow\.everyone)\b.*\n", re.MULTILINE)
    monkeypatch.setattr(kafka_cluster, "PROPERTIES", of_an_authorizer.sub("", kafka_cluster.PROPERTIES))
    with EmbeddedBroker() if kind == "embedded" else kafka_cluster.ApacheKafka() as broker:
        code, said = plan(unmade_stream(broker.bootstrap_servers), "--principal", "User:gate")
    assert code == ExitCode.CONFIG
    says = {
        "apache": "has no authorizer, and so no ACLs",
        "embedded": "does not show its ACLs: it has none, or it asks for a login",
    }
    assert said.endswith(f"{says[kind]}: plan topics alone with --no-acls\n")


class Administrator:
    """An administrator of the secured cluster, who logs in with TLS and SASL as the commands do."""

    def __init__(self, cluster: SecuredKafka) -> None:
        self.cluster = cluster
        self._admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
        self._granted: list[tuple[Any, ...]] = []
        self.settings = {
            "bootstrap_servers": cluster.secured_servers,
            "security_protocol": "sasl_ssl",
            "ssl_ca": cluster.certificate,
            "sasl_username": cluster.user,
            "sasl_password": cluster.password,
        }

    @property
    def properties(self) -> str:
        """The same login for Kafka's own commands."""
        login = f'username="{self.cluster.user}" password="{self.cluster.password}"'
        return (
            "security.protocol=SASL_SSL\nssl.truststore.type=PEM\n"
            f"ssl.truststore.location={self.cluster.certificate}\nsasl.mechanism=SCRAM-SHA-512\n"
            f"sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required {login};\n"
        )

    def add(
        self,
        kind: ResourceType,
        name: str,
        operation: AclOperation,
        principal: str,
        pattern: ResourcePatternType = ResourcePatternType.LITERAL,
        permission: AclPermissionType = AclPermissionType.ALLOW,
    ) -> None:
        """Add an ACL; it is removed after the test."""
        rule = (kind, name, pattern, principal, "*", operation, permission)
        for done in self._admin.create_acls([AclBinding(*rule)]).values():
            done.result()
        self._granted.append(rule)

    def remove_all(self) -> None:
        """Remove what was added."""
        if self._granted:
            for done in self._admin.delete_acls([AclBindingFilter(*rule) for rule in self._granted]).values():
                assert done.result()
        self._granted.clear()


@pytest.fixture
def administrator(secured_kafka: SecuredKafka) -> Iterator[Administrator]:
    someone = Administrator(secured_kafka)
    someone.add(ResourceType.BROKER, "kafka-cluster", AclOperation.ALL, f"User:{secured_kafka.user}")
    someone.add(ResourceType.TOPIC, "*", AclOperation.DESCRIBE, f"User:{secured_kafka.user}")
    yield someone
    someone.remove_all()


@pytest.fixture
def stream(secured_kafka: SecuredKafka) -> Stream:
    return unmade_stream(secured_kafka.bootstrap_servers)


def certified(cluster: SecuredKafka) -> dict[str, object]:
    """The settings of a worker whose certificate is its login."""
    return {
        "bootstrap_servers": cluster.mutual_servers,
        "security_protocol": "ssl",
        "ssl_ca": cluster.certificate,
        "ssl_certificate": cluster.client_certificate,
        "ssl_key": cluster.client_key,
        "ssl_key_password": cluster.password,
    }


@pytest.mark.xdist_group("secured")
def test_kafkas_own_commands_make_of_the_plan_all_that_the_format_agent_needs(
    administrator: Administrator, stream: Stream, tmp_path: Path
) -> None:
    agent = stream.of_format_agent()
    asked = ("--agent", "format", "--principal", CERTIFIED, "--partitions", "2")
    code, script = plan(stream, *asked, **administrator.settings)
    assert code == ExitCode.MISSING
    assert administrator.cluster.password not in script

    write_kafka_scripts(tmp_path)
    (tmp_path / "admin.properties").write_text(administrator.properties)
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["sh", "-e"], input=script.encode(), cwd=tmp_path, env={**os.environ, "PATH": path}, check=True)

    code, script = plan(stream, *asked, **administrator.settings)
    assert (code, [line for line in script.splitlines() if not line.startswith("#")]) == (ExitCode.OK, [])
    with run_worker(agent, tmp_path, **certified(administrator.cluster)) as worker:
        wait_for(lambda: worker.readiness()[0] == 200, 60, "the format worker is not ready")
        worker.stop()


@pytest.mark.xdist_group("secured")
def test_an_applied_plan_is_all_that_the_gate_and_the_review_agent_need(
    administrator: Administrator, stream: Stream, tmp_path: Path
) -> None:
    asked = ("--agent", "gate", "--agent", "review", "--principal", CERTIFIED)
    assert plan(stream, *asked, "--apply", **administrator.settings)[0] == ExitCode.OK
    assert plan(stream, *asked, **administrator.settings)[0] == ExitCode.OK
    queue = {"reviewers": "people", "review_queue": tmp_path / "queue"}
    with ExitStack() as stack:
        settings = certified(administrator.cluster)
        gate = stack.enter_context(run_worker(stream, tmp_path, **settings))
        review = stack.enter_context(run_worker(stream.of_review_agent(), tmp_path, **settings, **queue))
        stream.produce([(None, b'{"query": "red shoes %d"}' % number, []) for number in range(10)])
        stream.await_commits()
        wait_for(lambda: review.readiness()[0] == 200, 60, "the review worker is not ready")
        gate.stop()
        review.stop()
    assert stream.ledger_count() == 10


@pytest.mark.xdist_group("secured")
def test_wide_acls_count_and_one_that_denies_is_named(
    administrator: Administrator, stream: Stream, tmp_path: Path
) -> None:
    prefix = stream.group_id.removesuffix(".group.unmade")
    administrator.add(ResourceType.TOPIC, prefix, AclOperation.ALL, CERTIFIED, ResourcePatternType.PREFIXED)
    administrator.add(ResourceType.GROUP, "*", AclOperation.READ, "User:*")
    asked = ("--agent", "gate", "--principal", CERTIFIED)
    code, script = plan(stream, *asked, **administrator.settings)
    assert code == ExitCode.MISSING
    assert created_by(script)
    assert "kafka-acls.sh" not in script

    recall = stream.topics["recall"]
    deny = AclPermissionType.DENY
    administrator.add(ResourceType.TOPIC, recall, AclOperation.WRITE, CERTIFIED, permission=deny)
    code, script = plan(stream, *asked, "--apply", **administrator.settings)
    assert code == ExitCode.CONFIG
    assert f"an ACL denies {CERTIFIED} Write on topic {recall}: remove it" in script
    assert existing_topics(administrator.cluster.bootstrap_servers) >= {stream.topics["raw"]}


@pytest.mark.xdist_group("secured")
def test_who_may_not_see_acls_is_told_so_in_one_line(
    administrator: Administrator, stream: Stream, tmp_path: Path
) -> None:
    settings = administrator.settings
    administrator.remove_all()
    code, said = plan(stream, **settings)
    assert code == ExitCode.CONFIG, said
    assert "does not show its ACLs" in said
    assert said.count("\n") == 1
    assert plan(stream, "--no-acls", **settings)[0] == ExitCode.MISSING
