"""What `sluice topics plan` prints and does."""

import sys
from collections.abc import Iterator, Sequence

from sluicegate.agents.cli.worker import AgentName
from sluicegate.agents.format.agent import format_agent
from sluicegate.agents.gate.agent import gate_agent
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.source import Subscription
from sluicegate.agents.kafka.topic_plan import (
    CLIENT_PROPERTIES,
    ClusterUse,
    Missing,
    NewTopics,
    commands,
    create_missing,
    find_missing,
)
from sluicegate.agents.review.agent import review_agent
from sluicegate.agents.settings import Settings


def plan_topics(
    settings: Settings, agents: Sequence[AgentName], new: NewTopics, principal: str | None, *, apply: bool
) -> bool:
    """Print what is missing, and create it if `apply` says so. Returns whether nothing is missing afterwards."""
    connection = Connection.of(settings)
    uses = [_use(settings, agent) for agent in dict.fromkeys(agents)]
    missing = find_missing(connection, uses, principal)
    for line in _report(connection, uses, missing, new, principal):
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    if apply and missing:
        create_missing(connection, uses, missing, new, principal)
        sys.stdout.write("# applied: nothing is missing any more\n")
    return apply or not missing


def _use(settings: Settings, name: AgentName) -> ClusterUse:
    subscription, outputs = _subscription_and_outputs(settings, name)
    written = tuple(settings.topics[output] for output in outputs)
    return ClusterUse(name, subscription.topic, subscription.group_id, written)


def _subscription_and_outputs(settings: Settings, name: AgentName) -> tuple[Subscription, tuple[str, ...]]:
    match name:
        case AgentName.GATE:
            gate = gate_agent(settings)
            return gate.subscription, gate.outputs
        case AgentName.REVIEW:
            review = review_agent(settings)
            return review.subscription, review.outputs
        case AgentName.FORMAT:
            formatter = format_agent(settings)
            return formatter.subscription, formatter.outputs


def _report(
    connection: Connection, uses: Sequence[ClusterUse], missing: Missing, new: NewTopics, principal: str | None
) -> Iterator[str]:
    agents = ", ".join(use.agent for use in uses)
    yield f"# Kafka at {connection.servers}, agents: {agents}" + (f" as {principal}" if principal else "")
    yield f"# missing: {len(missing.topics)} topics" + (f", {len(missing.rights)} ACLs" if principal else "")
    for right in missing.denied:
        yield f"# denied by an ACL, which must be removed: {right}"
    if connection.secured and (missing.topics or missing.rights):
        yield f"# {CLIENT_PROPERTIES}: the login of an administrator, in the form of Kafka's own clients"
    yield from commands(connection, missing, new, principal)
