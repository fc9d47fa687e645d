"""``sluice serve``: the gate over HTTP, without Kafka."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: SLUICE_HTTP_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. Default: SLUICE_HTTP_PORT, 6066.")] = None,
    model: Annotated[Path | None, typer.Option(help="Folder of a compiled model. Default: SLUICE_MODEL.")] = None,
) -> None:
    """Serve the gate over HTTP until SIGTERM or Ctrl-C, without Kafka. Open requests are answered first.

    Example: `sluice serve --port 8080`
    """
    # Before the imports that take a second.
    from sluicegate.agents.process.signals import ignore_other_signals
    from sluicegate.agents.process.standard_streams import open_missing_streams
    from sluicegate.agents.process.start_environment import restart_with_environment

    open_missing_streams()
    ignore_other_signals()  # the process that is started next keeps ignoring them
    restart_with_environment()

    from sluicegate.agents.process.serve import run_server
    from sluicegate.agents.settings import load_settings

    run_server(load_settings(http_host=host, http_port=port, model=model))
