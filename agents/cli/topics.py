"""``sluice topics``: create and describe the Kafka topics."""

from typing import Annotated

import typer

from sluicegate.agents.cli.options import Brokers

topics = typer.Typer(no_args_is_help=True, help="The Kafka topics that the worker reads and writes.")


@topics.command("create")
def topics_create(
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of each new topic.")] = 4,
    replication: Annotated[int, typer.Option(min=1, help="Replicas of each partition.")] = 1,
    brokers: Brokers = None,
) -> None:
    """Create the missing topics. Existing topics are not changed.

    Example: `sluice topics create --partitions 12 --replication 3`
    """
    from rich.console import Console

    from sluicegate.agents.kafka.admin import create_topics, topic_configs
    from sluicegate.agents.kafka.connection import Connection
    from sluicegate.agents.settings import load_settings

    settings = load_settings(bootstrap_servers=brokers)
    created = create_topics(
        Connection.of(settings),
        topic_configs(settings.topics),
        partitions,
        replication,
    )
    for name in settings.topics.values():
        Console().print(f"{name}  [green]created[/]" if name in created else f"{name}  [dim]exists[/]")


@topics.command("describe")
def topics_describe(brokers: Brokers = None) -> None:
    """Show the partitions and records of each topic, and the lag of the gate workers.

    Example: `sluice topics describe`
    """
    from rich.console import Console
    from rich.table import Table

    from sluicegate.agents.kafka.admin import describe_topics
    from sluicegate.agents.kafka.connection import Connection
    from sluicegate.agents.settings import load_settings

    settings = load_settings(bootstrap_servers=brokers)
    table = Table("topic", "partitions", "replicas", "records", "lag of " + settings.group_id)
    for topic in describe_topics(Connection.of(settings), settings.topics.values(), settings.group_id):
        records = sum(partition.end - partition.beginning for partition in topic.partitions)
        lag = str(topic.lag) if topic.name == settings.topic_raw else "–"
        table.add_row(topic.name, str(len(topic.partitions)), str(topic.replication), str(records), lag)
    Console().print(table)
