"""``sluice topics``: plan, create and describe the Kafka topics."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from sluicegate.agents.cli.options import Brokers
from sluicegate.agents.cli.worker import AgentName
from sluicegate.schemas.errors import ExitCode

if TYPE_CHECKING:
    from sluicegate.agents.kafka.admin import TopicDescription

topics = typer.Typer(no_args_is_help=True, help="The Kafka topics that the workers read and write.")

Partitions = Annotated[int, typer.Option(min=1, help="Partitions of each new topic.")]
Replication = Annotated[int, typer.Option(min=1, help="Replicas of each partition.")]


@topics.command("plan")
def topics_plan(
    agent: Annotated[
        list[AgentName] | None, typer.Option("--agent", help="An agent in use, once or more. Default: all agents.")
    ] = None,
    principal: Annotated[
        str | None,
        typer.Option(help="Who the agents log in as, as in `User:sluicegate`. Default: User:SLUICE_SASL_USERNAME."),
    ] = None,
    acls: Annotated[bool, typer.Option("--acls/--no-acls", help="Whether to look at ACLs, too.")] = True,
    apply: Annotated[bool, typer.Option("--apply", help="Create what is missing.")] = False,
    partitions: Partitions = 4,
    replication: Replication = 1,
    brokers: Brokers = None,
) -> None:
    """Show which topics and ACLs the agents lack, as commands of Kafka's own tools.

    It changes nothing without `--apply`. It ends with 0 if nothing is missing, or nothing any more, and with 3 if
    something is. Lines that begin with `#` are comments: the output is a shell script. Without a principal there are no
    ACLs in it. Log in as somebody who may create topics and see ACLs.

    Example: `sluice topics plan --agent gate --principal User:gate --partitions 12 --replication 3`
    """
    from sluicegate.agents.cli.topics_plan import plan_topics
    from sluicegate.agents.kafka.admin import topic_configs
    from sluicegate.agents.kafka.topic_plan import NewTopics
    from sluicegate.agents.settings import load_settings

    settings = load_settings(bootstrap_servers=brokers)
    if principal is None and settings.uses_sasl:
        principal = f"User:{settings.sasl_username}"
    new = NewTopics(topic_configs(settings.topics), partitions, replication)
    complete = plan_topics(settings, agent or list(AgentName), new, principal if acls else None, apply=apply)
    if not complete:
        raise typer.Exit(ExitCode.MISSING)


@topics.command("create")
def topics_create(
    partitions: Partitions = 4,
    replication: Replication = 1,
    brokers: Brokers = None,
) -> None:
    """Create the missing topics of all agents. Existing topics are not changed.

    `sluice topics plan` shows before what is missing, for the agents that you use, with the ACLs of a secured cluster.

    Example: `sluice topics create --partitions 12 --replication 3`
    """
    from rich.console import Console

    from sluicegate.agents.kafka.admin import create_topics, topic_configs
    from sluicegate.agents.kafka.connection import Connection
    from sluicegate.agents.settings import load_settings

    settings = load_settings(bootstrap_servers=brokers)
    created = create_topics(Connection.of(settings), topic_configs(settings.topics), partitions, replication)
    for name in settings.topics.values():
        Console().print(f"{name}  [green]created[/]" if name in created else f"{name}  [dim]exists[/]")


@topics.command("describe")
def topics_describe(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    brokers: Brokers = None,
) -> None:
    """Show the offsets of each partition, and how far the workers have read.

    The committed offset and the lag are those of the consumer group of the agent that reads the topic.

    Example: `sluice topics describe --json`
    """
    from sluicegate.agents.kafka.admin import describe_topics
    from sluicegate.agents.kafka.connection import Connection
    from sluicegate.agents.settings import load_settings
    from sluicegate.schemas.topics import OPTIONAL

    settings = load_settings(bootstrap_servers=brokers)
    connection, topics = Connection.of(settings), settings.topics
    readers = {
        settings.topic_raw: settings.group_id,
        settings.topic_review: settings.review_consumer_group,
        settings.topic_actions_raw: settings.format_consumer_group,
    }
    optional = {topics[name] for name in OPTIONAL}
    described = [
        topic
        for name in topics.values()
        for topic in describe_topics(connection, [name], readers.get(name, settings.group_id), optional=optional)
    ]
    if as_json:
        _print_json(described, readers, settings.group_id)
    else:
        _print_table(described, readers)


def _print_json(described: Sequence[TopicDescription], readers: Mapping[str, str], group_id: str) -> None:
    import orjson

    document = {
        "group_id": group_id,
        "topics": [
            {
                "topic": topic.name,
                "group_id": readers.get(topic.name),
                "replication": topic.replication,
                "partitions": [
                    {
                        "partition": partition.partition,
                        "beginning": partition.beginning,
                        "end": partition.end,
                        "committed": partition.committed if topic.name in readers else None,
                        "lag": partition.lag if topic.name in readers else None,
                    }
                    for partition in topic.partitions
                ],
            }
            for topic in described
        ],
    }
    option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    sys.stdout.write(orjson.dumps(document, option=option).decode())


def _print_table(described: Sequence[TopicDescription], readers: Mapping[str, str]) -> None:
    from rich.table import Column, Table

    from sluicegate.agents.cli.table_console import table_console

    numbers = (Column(name, justify="right") for name in ("partition", "first", "end", "committed", "lag"))
    groups = ", ".join(readers[topic.name] for topic in described if topic.name in readers)
    table = Table(Column("topic", overflow="fold"), *numbers, box=None, caption=f"committed and lag: groups {groups}")
    for topic in described:
        for partition in topic.partitions:
            progress = ("", "")
            if topic.name in readers:
                committed = "none" if partition.committed is None else str(partition.committed)
                progress = (committed, str(partition.lag))
            first = partition is topic.partitions[0]
            table.add_row(
                topic.name if first else "",
                *map(str, (partition.partition, partition.beginning, partition.end)),
                *progress,
            )
    table_console().print(table)
