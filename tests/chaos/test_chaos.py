"""Three short scenarios of ``python -m tests.chaos``. docs/chaos.md has the results of all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.proxy import Proxies
from tests.chaos.scenario import run
from tests.support.kafka_cluster import ApacheKafka, available

pytestmark = pytest.mark.xdist_group("chaos")  # one cluster of three brokers


@pytest.fixture(scope="module")
def cluster() -> Iterator[ApacheKafka]:
    reason = available()
    if reason:
        pytest.skip(f"no real Kafka: {reason}")
    with ApacheKafka(nodes=3) as brokers:
        yield brokers


@pytest.mark.parametrize("name", ["workers join and leave", "broker killed", "second model hangs"])
def test_nothing_is_lost_when(cluster: ApacheKafka, tmp_path: Path, name: str) -> None:
    routes = dict(zip(cluster.proxy_ports, cluster.behind_proxy, strict=True))
    with Proxies(routes) as proxies:
        result = run(cluster, proxies, name, FAULTS[name], count=1000, rate=200, seed=1, folder=tmp_path / "logs")
    assert result.passed, result
    assert result.findings.events == 1000
