"""What the agents have in common, seen from outside: each needs its own topics, and nothing of another agent's."""

from dataclasses import replace
from pathlib import Path

from sluicegate.agents.gate.agent import gate_agent
from sluicegate.agents.settings import load_settings
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
