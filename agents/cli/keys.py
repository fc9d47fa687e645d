"""``sluice keys``: API keys of the HTTP API."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sluicegate.schemas.errors import ConfigurationError

keys = typer.Typer(no_args_is_help=True, help="API keys of the HTTP API.")


@keys.command("add")
def keys_add(
    name: Annotated[str, typer.Argument(help="Who will use the key.")],
    file: Annotated[Path | None, typer.Option(help="File of the keys' hashes. Default: SLUICE_HTTP_KEYS.")] = None,
) -> None:
    """Make an API key, add its hash to the file of keys, and print the key. It is shown this once.

    A server that uses the file accepts the key within seconds. To revoke a key, delete its line.

    Example: `sluice keys add search-frontend --file keys.txt`
    """
    from sluicegate.agents.http.keys import add_key
    from sluicegate.agents.settings import load_settings

    path = file or load_settings().http_keys
    if path is None:
        raise ConfigurationError("there is no file of API keys: set SLUICE_HTTP_KEYS, or give --file")
    sys.stdout.write(f"{add_key(path, name)}\n")
