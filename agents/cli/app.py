"""``sluice``: every command, thin. Each imports what it needs when it runs, so that ``--help`` is quick."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from sluicegate.agents.cli.eval_app import evaluate
from sluicegate.agents.cli.learn_app import learn
from sluicegate.agents.cli.model_app import models
from sluicegate.agents.cli.options import Brokers
from sluicegate.agents.cli.replay_app import replay
from sluicegate.schemas.errors import SluicegateError

_WIDE = 300
"""Columns, where a pipe is written to: a line to a setting."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Moderate, understand and rewrite raw queries before search, recommendation and ads see them.\n\n"
    "Start with `sluice up`; every setting is an environment variable, see `sluice config show`.",
    epilog="Exit codes: 0 done, 1 an event without any outcome, 2 wrong usage, 130 interrupted; "
    "of sysexits.h 65 wrong input, 69 Kafka unavailable, 70 our fault, 78 wrong configuration.",
)
topics = typer.Typer(no_args_is_help=True, help="The Kafka topics that the worker reads and writes.")
schemas = typer.Typer(no_args_is_help=True, help="The contracts of the events.")
config = typer.Typer(no_args_is_help=True, help="The settings.")
app.add_typer(topics, name="topics")
app.add_typer(models, name="models")
app.add_typer(schemas, name="schemas")
app.add_typer(evaluate, name="eval")
app.add_typer(learn, name="learn")
app.add_typer(replay, name="replay")
app.add_typer(config, name="config")


def main() -> None:
    """Run a command; an error of ours ends in one line on standard error and its exit code."""
    try:
        app()
    except SluicegateError as error:
        sys.stderr.write(f"sluice: {error}\n")
        sys.exit(error.exit_code)


def _version(wanted: bool) -> None:
    if wanted:
        from sluicegate.schemas.version import VERSION

        sys.stdout.write(f"sluicegate {VERSION}\n")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of `sluice` itself."""


@app.command()
def up(
    keep: Annotated[bool, typer.Option("--keep", help="Then leave broker and worker running until Ctrl-C.")] = False,
) -> None:
    """Show everything at work: a broker, the worker and a sample of raw queries, live in this terminal."""
    from sluicegate.agents.cli.streams import exit_on_sigterm
    from sluicegate.agents.local.up import show

    exit_on_sigterm()
    show(Console(), keep=keep)


@app.command()
def worker(brokers: Brokers = None) -> None:
    """Run the gate agent until SIGTERM or Ctrl-C, which finish and commit what is in flight."""
    from sluicegate.agents.process.allocator import ensure
    from sluicegate.agents.process.start import run_worker
    from sluicegate.agents.settings import load_settings

    ensure()
    run_worker(load_settings(bootstrap_servers=brokers))


@app.command()
def tune(
    out: Annotated[Path, typer.Option(help="Write the profile here: set SLUICE_PROFILE to it.")] = Path("profile.json"),
    model: Annotated[Path | None, typer.Option(help="Folder of a compiled model; else SLUICE_MODEL.")] = None,
    price: Annotated[float, typer.Option(min=0, help="Price of a core for an hour.")] = 0.04,
) -> None:
    """Measure a model on this machine, a minute or two, and write the settings that suit both.

    It tries compute types, threads, replicas and batch sizes, and fits the cost model by which the worker makes up its
    batches and refuses what would be too late. Run it with nothing else running, in the environment of the worker.
    """
    from sluicegate.agents.cli.tune import tune_model
    from sluicegate.agents.settings import load_settings

    tune_model(load_settings(model=model), out, price)


@app.command()
def gate(
    queries: Annotated[list[str] | None, typer.Argument(help="Queries to decide.")] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Read JSON lines ({"query": …} or {"text": …}) from standard input.')
    ] = False,
    model: Annotated[Path | None, typer.Option(help="Folder of a compiled model; else SLUICE_MODEL.")] = None,
) -> None:
    """Decide queries without Kafka: JSON lines on standard output, in input order.

    Other fields of a JSON line are passed through; one named like a field of the decision comes back as `input_<name>`.
    """
    from sluicegate.agents.cli.gate_lines import decide_arguments, decide_stdin
    from sluicegate.agents.cli.streams import reader_may_leave
    from sluicegate.agents.settings import load_settings

    if jsonl == bool(queries):
        raise typer.BadParameter("give queries as arguments, or --jsonl and JSON lines on standard input")
    settings = load_settings(model=model)
    failed = 0
    with reader_may_leave():
        failed = decide_stdin(settings) if jsonl else decide_arguments(settings, queries or [])
    if failed:
        raise typer.Exit(65)


@app.command()
def produce(
    queries: Annotated[list[str] | None, typer.Argument(help="Queries to publish.")] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Publish each line of standard input as it is.")] = False,
    brokers: Brokers = None,
) -> None:
    """Publish raw queries, each with a fresh `traceparent`; prints where each one lies and its trace id."""
    from sluicegate.agents.cli.console import produce_records
    from sluicegate.agents.cli.streams import reader_may_leave
    from sluicegate.agents.settings import load_settings

    if jsonl == bool(queries):
        raise typer.BadParameter("give queries as arguments, or --jsonl and records on standard input")
    with reader_may_leave():
        produce_records(load_settings(bootstrap_servers=brokers), queries or None)


@app.command()
def tail(
    names: Annotated[list[str] | None, typer.Argument(help="Events to follow, as recall; else every output.")] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Start with the oldest record.")] = False,
    brokers: Brokers = None,
) -> None:
    """Follow the output topics: one JSON line per record, until Ctrl-C."""
    from sluicegate.agents.cli.console import tail_topics
    from sluicegate.agents.cli.streams import reader_may_leave
    from sluicegate.agents.settings import load_settings

    with reader_may_leave():
        tail_topics(load_settings(bootstrap_servers=brokers), names, from_beginning=from_beginning)


@topics.command("create")
def topics_create(
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of each topic.")] = 4,
    replication: Annotated[int, typer.Option(min=1, help="Replicas of each partition.")] = 1,
    brokers: Brokers = None,
) -> None:
    """Create the topics that are missing; those that exist are left as they are."""
    from sluicegate.agents.kafka.admin import create_topics, topic_configs
    from sluicegate.agents.kafka.security import librdkafka_security
    from sluicegate.agents.settings import load_settings

    settings = load_settings(bootstrap_servers=brokers)
    created = create_topics(
        settings.bootstrap_servers,
        topic_configs(settings.topics),
        partitions,
        replication,
        librdkafka_security(settings),
    )
    for name in settings.topics.values():
        Console().print(f"{name}  [green]created[/]" if name in created else f"{name}  [dim]exists[/]")


@topics.command("describe")
def topics_describe(brokers: Brokers = None) -> None:
    """Show partitions, offsets and the gate group's lag."""
    from sluicegate.agents.kafka.admin import describe_topics
    from sluicegate.agents.kafka.security import librdkafka_security
    from sluicegate.agents.settings import load_settings

    settings = load_settings(bootstrap_servers=brokers)
    table = Table("topic", "partitions", "replicas", "records", "lag of " + settings.group_id)
    security = librdkafka_security(settings)
    for topic in describe_topics(settings.bootstrap_servers, settings.topics.values(), settings.group_id, security):
        records = sum(partition.end - partition.beginning for partition in topic.partitions)
        lag = str(topic.lag) if topic.name == settings.topic_raw else "–"
        table.add_row(topic.name, str(len(topic.partitions)), str(topic.replication), str(records), lag)
    Console().print(table)


@schemas.command("export")
def schemas_export(folder: Annotated[Path, typer.Argument(help="Folder to write into.")]) -> None:
    """Write a JSON Schema per event and the AsyncAPI document."""
    from sluicegate.schemas.export import export

    for path in export(folder):
        Console().print(str(path), highlight=False)


@config.command("show")
def config_show() -> None:
    """Show every setting: its environment variable, its value here, its default, its meaning."""
    from sluicegate.agents.settings import describe_settings, load_settings

    folded = (Column(name, overflow="fold") for name in ("value", "default", "meaning"))
    table = Table(Column("variable", no_wrap=True), *folded)
    for row in describe_settings(load_settings()):
        table.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console.width = _WIDE
    console.print(table)
