"""``sluice ask``: one query for a person: what the gate would do with it, and why."""

from pathlib import Path
from typing import Annotated

import typer


def ask(
    query: Annotated[list[str], typer.Argument(help="The query. `-` reads it from standard input.")],
    model: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a compiled model; repeat it to compare models. Default: SLUICE_MODEL."),
    ] = None,
    locale: Annotated[str | None, typer.Option(help="Language and region of the user, for example en-US.")] = None,
    surface: Annotated[
        str | None, typer.Option(help="Where the query was typed: it chooses thresholds and lists of the policy.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the decision as JSON, one line per model.")] = False,
) -> None:
    """Show what the gate would do with one query, and why. No Kafka needed.

    It shows the verdict and the rule that decided, each probability with its two thresholds, what was cleaned or
    corrected, how long it took, and which model and policy decided. Removed text is written `[-so-]` and added text
    `{+so+}` where there is no colour.

    The exit code is 0 whatever the verdict. A script reads the JSON: `sluice ask --json "$query" | jq -e .allow`

    Example: `sluice ask "wireless headphons"`

    Example: `sluice ask --model old --model new "how to forge a passport"`
    """
    from sluicegate.agents.cli.ask_run import decide_with, query_of
    from sluicegate.agents.cli.streams import reader_may_leave

    text = query_of(query)
    decisions = decide_with(model or [], text, locale=locale, surface=surface)
    with reader_may_leave():
        if as_json:
            from sluicegate.agents.cli.ask_run import print_json

            print_json(decisions)
        elif len(decisions) == 1:
            from sluicegate.agents.cli.ask_report import print_report
            from sluicegate.agents.settings import load_settings

            print_report(text, decisions[0], has_second=load_settings().second_model is not None)
        else:
            from sluicegate.agents.cli.ask_comparison import print_comparison

            print_comparison(text, decisions)
