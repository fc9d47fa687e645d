"""``sluice produce``: publish raw queries from the command line."""

from typing import Annotated

import typer

from sluicegate.agents.cli.options import Brokers


def produce(
    queries: Annotated[list[str] | None, typer.Argument(help="Queries to publish.")] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Publish each line of standard input unchanged, as one record.")
    ] = False,
    brokers: Brokers = None,
) -> None:
    """Publish raw queries. Each gets a new trace; its position and trace id are printed.

    Example: `sluice produce "wireless headphons"`
    """
    from sluicegate.agents.cli.produce_records import produce_records
    from sluicegate.agents.cli.streams import reader_may_leave
    from sluicegate.agents.settings import load_settings

    if jsonl == bool(queries):
        raise typer.BadParameter("give queries as arguments, or --jsonl and records on standard input")
    if not all(query.strip() for query in queries or ()):
        raise typer.BadParameter("a query must not be empty")
    with reader_may_leave():
        produce_records(load_settings(bootstrap_servers=brokers), queries or None)
