"""``sluice gate``: decisions without Kafka."""

from pathlib import Path
from typing import Annotated

import typer

from sluicegate.schemas.errors import ExitCode


def gate(
    queries: Annotated[list[str] | None, typer.Argument(help="Queries to decide.")] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Read JSON lines ({"query": …} or {"text": …}) from standard input.')
    ] = False,
    model: Annotated[Path | None, typer.Option(help="Folder of a compiled model. Default: SLUICE_MODEL.")] = None,
) -> None:
    """Decide queries without Kafka. Writes one JSON line per query to standard output, in input order.

    Other fields of a JSON line are passed through. A field that has the name of a field of the decision is renamed to
    `input_<name>`.

    Example: `sluice gate "chep runing shoes"`
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
        raise typer.Exit(ExitCode.DATA)
