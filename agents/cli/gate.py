"""``sluice gate``: decisions without Kafka."""

import os
from pathlib import Path
from typing import Annotated

import typer

from sluicegate.schemas.errors import ExitCode


def gate(
    queries: Annotated[
        list[str] | None,
        typer.Argument(help="Queries to decide. With --jsonl, --lines or --csv: one file, otherwise standard input."),
    ] = None,
    jsonl: Annotated[
        bool,
        typer.Option("--jsonl", help='Read JSON lines: {"query": …} or {"text": …}. Other fields are passed through.'),
    ] = False,
    lines: Annotated[bool, typer.Option("--lines", help="Read text: one query per line.")] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Read CSV with a header. Other columns are passed through.")
    ] = False,
    column: Annotated[str | None, typer.Option(help="The column that has the queries, for --csv.")] = None,
    surface: Annotated[
        str | None, typer.Option(help="Surface of the queries that do not name one: it chooses thresholds and lists.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Folder of a compiled model. Default: SLUICE_MODEL.")] = None,
) -> None:
    """Decide queries without Kafka. Writes one JSON line per query to standard output, in input order.

    `sluice ask` shows one decision to a person.

    A field or column that has the name of a field of the decision is renamed to `input_<name>`.

    Example: `sluice gate "wireless headphons"`

    Example: `sluice gate --csv queries.csv --column query > decisions.jsonl`
    """
    from sluicegate.agents.cli.gate_lines import decide_rows
    from sluicegate.agents.cli.gate_rows import rows_of_arguments, rows_of_csv, rows_of_json_lines, rows_of_text
    from sluicegate.agents.cli.streams import reader_may_leave

    given = queries or []
    if jsonl + lines + csv > 1:
        raise typer.BadParameter("--jsonl, --lines and --csv exclude each other")
    if csv != (column is not None):
        raise typer.BadParameter("--csv needs --column, and --column needs --csv")
    if jsonl or lines or csv:
        path = _one_file(given)
        rows = rows_of_json_lines(path) if jsonl else rows_of_text(path) if lines else rows_of_csv(path, column or "")
    else:
        _refuse_files(given)
        rows = rows_of_arguments(given)
    failed = 0
    with reader_may_leave():
        failed = decide_rows(model, rows, surface)
    if failed:
        raise typer.Exit(ExitCode.DATA)


def _one_file(given: list[str]) -> Path | None:
    if len(given) > 1:
        raise typer.BadParameter("give one file, or none for standard input")
    if not given or given == ["-"]:
        return None
    return Path(given[0])


def _refuse_files(given: list[str]) -> None:
    if not given:
        raise typer.BadParameter("give queries as arguments, or --jsonl, --lines or --csv")
    for query in given:
        # A word may be the name of a file by chance; one with a dot or a slash is meant as one.
        if ("." in query or "/" in query) and os.path.isfile(query):  # noqa: PTH113 - Path raises on a long query
            raise typer.BadParameter(f"{query} is a file: read it with --lines, --jsonl, or --csv and --column")
