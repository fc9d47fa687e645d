"""``sluice mcp``: the gate as tools for assistants."""

from pathlib import Path
from typing import Annotated

import typer

from sluicegate.agents.cli.options import Brokers, require_extra


def mcp(
    http: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Serve streamable HTTP at /mcp, on a loopback address. Default: standard input."
        ),
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Folder of a compiled model. Default: SLUICE_MODEL.")] = None,
    ledger: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|kafka", help="Where `explain` looks: a file of JSON lines, or `kafka` for the ledger's topic."
        ),
    ] = None,
    brokers: Brokers = None,
) -> None:
    """Serve the gate to assistants, over the Model Context Protocol.

    The tools `gate`, `rewrite` and `explain` read only. An assistant starts this command and talks to it over standard
    input and output; docs/mcp.md has a configuration for it.

    Example: `sluice mcp --http 127.0.0.1:8765`
    """
    from sluicegate.agents.cli.protocol_streams import take_protocol_streams

    require_extra("mcp", "mcp", "mcp")
    if http is None:
        streams = take_protocol_streams()  # before anything can write to standard output

    from sluicegate.agents.cli import mcp_runs
    from sluicegate.agents.settings import load_settings

    settings = load_settings(bootstrap_servers=brokers)
    if http is None:
        mcp_runs.serve_streams(settings, model, ledger, streams)
    else:
        mcp_runs.serve_http(settings, model, ledger, http)
