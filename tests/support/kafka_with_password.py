"""A Kafka cluster that asks for a password, and the settings of a worker that has it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.proxy import Proxies
from tests.support.kafka_cluster import ApacheKafka, available


@contextmanager
def kafka_with_password() -> Iterator[ApacheKafka]:
    """One broker whose proxied listener asks for a password. Skips the test where no real Kafka can run."""
    reason = available()
    if reason:
        pytest.skip(f"no real Kafka: {reason}")
    with ApacheKafka() as kafka, Proxies(dict(zip(kafka.proxy_ports, kafka.behind_proxy, strict=True))):
        yield kafka


def login_of(kafka: ApacheKafka) -> dict[str, str]:
    """The settings, by their names, of a worker that logs in."""
    return {
        "bootstrap_servers": ",".join(f"127.0.0.1:{port}" for port in kafka.proxy_ports),
        "security_protocol": "sasl_plaintext",
        "sasl_mechanism": "PLAIN",
        "sasl_username": kafka.user,
        "sasl_password": kafka.password,
    }
