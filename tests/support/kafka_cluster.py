"""A real Apache Kafka for the tests: nodes in KRaft mode, from the jars that tests/support/kafka/pom.xml names.

It needs Java 17 or newer and, the first time, Maven. The jars stay in .cache/kafka-with-tools-<version>.
"""

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from sluicegate.agents.local.child_process import start_child, stop_child
from tests.support.maven import MavenFailed, fetched
from tests.support.ports import free_ports

POM = Path(__file__).parent / "kafka" / "pom.xml"
CACHE = Path(__file__).parents[2] / ".cache"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
JAVA = (
    "java",
    *("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"),  # small and quick to start
    "-Djava.net.preferIPv4Stack=true",
)

PROPERTIES = """
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{behind_proxy},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxy}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.proxied.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\
    user_{user}="{password}";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=true
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
num.partitions=1
auto.create.topics.enable=false
auto.leader.rebalance.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor={replicas}
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""

SECURED = """
listeners=PLAINTEXT://127.0.0.1:{port},SECURED://127.0.0.1:{secured},MUTUAL://127.0.0.1:{mutual},\\
    LOGIN://127.0.0.1:{login},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SECURED://127.0.0.1:{secured},MUTUAL://127.0.0.1:{mutual},\\
    LOGIN://127.0.0.1:{login}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SECURED:SASL_SSL,MUTUAL:SSL,LOGIN:SASL_PLAINTEXT,\\
    CONTROLLER:PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location={identity}
ssl.truststore.type=PEM
ssl.truststore.location={trusted}
listener.name.mutual.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.login.sasl.enabled.mechanisms=PLAIN
listener.name.login.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required user_{user}="{password}";
listener.name.secured.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required user_{user}="{password}";
listener.name.secured.scram-sha-256.sasl.jaas.config={modules}.scram.ScramLoginModule required;
listener.name.secured.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required;
listener.name.secured.oauthbearer.sasl.jaas.config={modules}.oauthbearer.OAuthBearerLoginModule required \\
    unsecuredLoginStringClaim_sub="{user}";
allow.everyone.if.no.acl.found=false
"""
"""In addition: listeners with TLS and SASL. Their clients may do only what ACLs allow."""


def available() -> str | None:
    """Return why a real Kafka cannot run here, or None if it can."""
    if shutil.which("java") is None:
        return "java is not installed"
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < 17:
        return "java is older than 17"
    if not _jars().is_dir() and shutil.which("mvn") is None:
        return "mvn is not installed, and Kafka's jars have not been fetched yet"
    return None


def write_kafka_scripts(folder: Path) -> None:
    """Put `kafka-topics.sh` and `kafka-acls.sh` into `folder`, as Apache's archive of Kafka has them."""
    java = " ".join(map(str, (*JAVA, "-cp", f"'{_fetched_jars()}/*'")))
    for name, tool in (("kafka-topics.sh", "TopicCommand"), ("kafka-acls.sh", "AclCommand")):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {java} org.apache.kafka.tools.{tool} "$@"\n')
        script.chmod(0o755)


class ApacheKafka:
    """Empty brokers on free loopback ports, for as long as the `with` block lasts; ask `available()` first.

    Each has a second listener for clients that connect through a proxy and log in as `user` with `password`: a client
    of port `behind_proxy[n]` is sent back to port `proxy_ports[n]`. Clients that do not log in may do everything, and
    `user` may do what no ACL denies.
    """

    user: Final = "worker"
    password: Final = "correct-horse"

    def __init__(self, nodes: int = 1) -> None:
        self._nodes = nodes
        self.ports = free_ports(nodes)
        self.behind_proxy = free_ports(nodes)
        self.proxy_ports = free_ports(nodes)
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of all brokers."""
        return ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def __enter__(self) -> Self:
        self._java = (*JAVA, "-cp", f"{_fetched_jars()}/*")
        self._folder = tempfile.TemporaryDirectory(prefix="sluicegate-kafka-", ignore_cleanup_errors=True)
        controllers = free_ports(self._nodes)
        voters = ",".join(f"{node}@127.0.0.1:{port}" for node, port in enumerate(controllers, 1))
        for number, port in enumerate(self.ports):
            options = self._write_properties(
                number,
                node=number + 1,
                voters=voters,
                controller_port=controllers[number],
                port=port,
                behind_proxy=self.behind_proxy[number],
                proxy=self.proxy_ports[number],
                user=self.user,
                password=self.password,
                data=Path(self._folder.name) / f"data-{number}",
                replicas=self._nodes,
            )
            tool = [*self._java, "kafka.tools.StorageTool", "format", "--cluster-id", "sluicegate-tests-00001", "-c"]
            subprocess.run([*tool, str(self._properties(number)), *options], check=True, capture_output=True)
        self.processes = [self._started(number) for number in range(self._nodes)]
        try:
            self.await_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def start(self, number: int) -> None:
        """Restart a broker that has ended, and wait until all are up."""
        self.processes[number].wait()
        self.processes[number] = self._started(number)
        self.await_ready()

    def await_ready(self) -> None:
        """Wait until every broker answers; raises RuntimeError if one does not in time."""
        deadline = time.monotonic() + START_TIMEOUT_S
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        while True:
            try:
                if len(admin.list_topics(timeout=1.0).brokers) == self._nodes:
                    return
            except KafkaException:
                pass
            ended = [number for number, process in enumerate(self.processes) if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                said = self._log(ended[0] if ended else 0).read_text(errors="replace")[-4000:]
                raise RuntimeError(f"Apache Kafka did not start; the end of its log:\n{said}")
            time.sleep(0.05)

    def _write_properties(self, number: int, **given: object) -> list[str]:
        """Write a broker's properties; returns more options for the tool that formats its folder."""
        self._properties(number).write_text(PROPERTIES.format(**given))
        return []

    def _properties(self, number: int) -> Path:
        return Path(self._folder.name) / f"server-{number}.properties"

    def _log(self, number: int) -> Path:
        return Path(self._folder.name) / f"kafka-{number}.log"

    def _started(self, number: int) -> subprocess.Popen[bytes]:
        return start_child([*self._java, "kafka.Kafka", self._properties(number)], self._log(number))

    def _stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            stop_child(process, STOP_TIMEOUT_S)
        self._folder.cleanup()


class SecuredKafka(ApacheKafka):
    """One broker with three more listeners: TLS with SASL, mutual TLS, and SASL alone.

    `user` logs in with `password`; `certified` is the name in the client's certificate.
    """

    certified: Final = "CN=certified-worker"

    def __init__(self) -> None:
        super().__init__()
        self._secured, self._mutual, self._login = free_ports(3)

    @property
    def secured_servers(self) -> str:
        """The listener with TLS and SASL."""
        return f"127.0.0.1:{self._secured}"

    @property
    def mutual_servers(self) -> str:
        """The listener with mutual TLS."""
        return f"127.0.0.1:{self._mutual}"

    @property
    def login_servers(self) -> str:
        """The listener with SASL and without TLS."""
        return f"127.0.0.1:{self._login}"

    @property
    def certificate(self) -> Path:
        """The broker's self-signed certificate, which clients must trust."""
        return self._file("certificate.pem")

    @property
    def client_certificate(self) -> Path:
        """The client's certificate, which the broker trusts."""
        return self._file("client.pem")

    @property
    def client_key(self) -> Path:
        """The key of the client's certificate, encrypted with `password`."""
        return self._file("client-key.pem")

    def _write_properties(self, number: int, **given: object) -> list[str]:
        options = super()._write_properties(number, **given)
        key, identity, trusted = map(self._file, ("key.pem", "identity.pem", "trusted.pem"))
        _certify("/CN=127.0.0.1", key, self.certificate, "-nodes", "-addext", "subjectAltName=IP:127.0.0.1")
        _certify(f"/{self.certified}", self.client_key, self.client_certificate, "-passout", f"pass:{self.password}")
        identity.write_text(key.read_text() + self.certificate.read_text())
        trusted.write_text(self.certificate.read_text() + self.client_certificate.read_text())
        with self._properties(number).open("a") as properties:
            properties.write(
                SECURED.format(
                    **given,
                    secured=self._secured,
                    mutual=self._mutual,
                    login=self._login,
                    identity=identity,
                    trusted=trusted,
                    modules="org.apache.kafka.common.security",
                )
            )
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            options += ["--add-scram", f"{mechanism}=[name={self.user},password={self.password}]"]
        return options

    def _file(self, name: str) -> Path:
        return Path(self._folder.name) / name


def _certify(subject: str, key: Path, certificate: Path, *options: str) -> None:
    made = ["req", "-x509", "-newkey", "rsa:2048", "-days", "2", "-subj", subject, "-keyout", str(key)]
    subprocess.run(["openssl", *made, "-out", str(certificate), *options], check=True, capture_output=True)


def _jars() -> Path:
    version = re.search(r"<kafka.version>(.+)</kafka.version>", POM.read_text())
    assert version is not None, f"{POM} names no kafka.version"
    return CACHE / f"kafka-with-tools-{version[1]}"


def _fetched_jars() -> Path:
    """Return the folder with Kafka's jars, which Maven fetches if it is missing."""
    try:
        return fetched(_jars(), "-f", POM, "dependency:copy-dependencies")
    except MavenFailed as error:
        raise RuntimeError(f"Maven could not fetch Kafka's jars:\n{error}") from None
