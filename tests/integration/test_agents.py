"""What the agents have in common, seen from outside: each needs its own topics, and nothing of another agent's."""

from dataclasses import replace
from pathlib import Path

import orjson
from typer.testing import CliRunner

from sluicegate.agents.cli.app import app
from sluicegate.agents.gate.agent import gate_agent
from sluicegate.agents.settings import load_settings
from sluicegate.schemas.errors import ConfigurationError
from sluicegate.schemas.topics import OPTIONAL
from tests.support.brokers import Broker, TopicMaker
from tests.support.worker_process import make_stream, run_worker


def test_the_gate_starts_on_a_cluster_without_the_topics_of_other_agents(
    broker: Broker, topics: TopicMaker, tmp_path: Path
) -> None:
    stream = make_stream(broker, topics)
    own = {"raw", *gate_agent(load_settings()).outputs}
    others = {name: f"absent.{name}" for name in stream.topics if name not in own}
    assert others
    stream = replace(stream, topics={**stream.topics, **others})
    stream.produce([(None, b'{"query": "red shoes"}', [])])
    with run_worker(stream, tmp_path) as worker:
        stream.await_commits()
        worker.stop()


def test_operators_of_a_cluster_without_the_format_agent_need_no_topics_of_it(
    broker: Broker, topics: TopicMaker
) -> None:
    stream = make_stream(broker, topics)
    absent = {name: f"absent.{name}" for name in OPTIONAL}
    environment = {**stream.environment, **{f"SLUICE_TOPIC_{name.upper()}": topic for name, topic in absent.items()}}
    described = CliRunner().invoke(app, ["topics", "describe", "--json"], env=environment)
    tailed = CliRunner().invoke(app, ["tail", "--until-now"], env=environment)
    assert (described.exit_code, tailed.exit_code) == (0, 0), described.output + tailed.output
    assert len(orjson.loads(described.stdout)["topics"]) == len(stream.topics) - len(absent)
    named = CliRunner().invoke(app, ["tail", "actions_formatted"], env=environment)
    assert isinstance(named.exception, ConfigurationError)
