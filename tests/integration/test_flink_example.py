"""The join as Flink SQL: Flink itself plans and runs it, on a real Kafka, with the events that the README shows."""

import shutil
import subprocess
from pathlib import Path

import orjson
import pytest

from tests.support.brokers import Broker, TopicMaker
from tests.support.kafka_client import consume_all, produce_all
from tests.support.markdown import blocks_of
from tests.support.maven import fetched
from tests.support.required import give_up

ROOT = Path(__file__).parents[2]
FLINK = ROOT / "tests" / "support" / "flink"
VERSION = "2.2.0"
OPENED = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in ("java.util", "java.lang", "java.nio")]
"""What Flink's own scripts open to it."""


@pytest.fixture(scope="module")
def jars() -> Path:
    if missing := [program for program in ("java", "mvn") if shutil.which(program) is None]:
        give_up("REQUIRE_APACHE_KAFKA", f"{' and '.join(missing)} not installed")
    folder = ROOT / ".cache" / f"flink-{VERSION}"
    return fetched(folder, "-f", FLINK / "pom.xml", f"-Dflink.version={VERSION}", "dependency:copy-dependencies")


@pytest.mark.parametrize("broker", ["apache"], indirect=True)
def test_flink_makes_one_search_request_of_a_querys_recall_and_ranking_events(
    broker: Broker, topics: TopicMaker, jars: Path, tmp_path: Path
) -> None:
    servers = broker.bootstrap_servers
    names = {name: topics(name) for name in ("queries.recall", "queries.ranking", "search.requests")}
    shown = {
        block.comment.removeprefix("event: "): orjson.loads(block.text)
        for block in blocks_of(ROOT / "README.md")
        if block.comment in ("event: recall", "event: ranking")
    }
    for name, event in shown.items():
        other = {**event, "event_id": f"another-{name}"}  # without its counterpart
        produce_all(servers, names[f"queries.{name}"], [(b"u-17", orjson.dumps(each), []) for each in (event, other)])
    text = (ROOT / "examples" / "flink" / "search_requests.sql").read_text()
    for name, topic in names.items():
        assert f"'{name}'" in text
        text = text.replace(f"'{name}'", f"'{topic}'")
    text = text.replace("localhost:9092", servers)
    text = text.replace("'format' =", "'scan.bounded.mode' = 'latest-offset', 'format' =")  # so that it ends
    (tmp_path / "bounded.sql").write_text(text)
    run: list[str | Path] = [
        "java",
        "-Xmx700m",
        *OPENED,
        "-cp",
        f"{jars}/*",
        FLINK / "RunSql.java",
        tmp_path / "bounded.sql",
    ]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert "IntervalJoin" in done.stdout
    [request] = consume_all(servers, [names["search.requests"]], lambda messages: len(messages) >= 1)
    assert request.key() == shown["recall"]["event_id"].encode()
    assert orjson.loads(request.value() or b"") == {
        **{field: shown["recall"][field] for field in ("event_id", "lexical", "semantic", "facets")},
        "scores": shown["ranking"]["scores"],
    }
