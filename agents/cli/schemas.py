"""``sluice schemas``: the contracts of the events as files."""

from pathlib import Path
from typing import Annotated

import typer

schemas = typer.Typer(no_args_is_help=True, help="The contracts of the events.")


@schemas.command("export")
def schemas_export(folder: Annotated[Path, typer.Argument(help="Folder to write into.")]) -> None:
    """Write one JSON Schema file per event and the AsyncAPI document.

    Example: `sluice schemas export contracts/`
    """
    from rich.console import Console

    from sluicegate.schemas.export import export

    for path in export(folder):
        Console().print(str(path), highlight=False)


@schemas.command("openapi")
def schemas_openapi() -> None:
    """Print the OpenAPI document of the HTTP API.

    Example: `sluice schemas openapi > openapi.json`
    """
    import sys

    import orjson

    from sluicegate.agents.http.app import document

    option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    sys.stdout.write(orjson.dumps(document(), option=option).decode())


@schemas.command("reference")
def schemas_reference() -> None:
    """Print the reference of all events, reason codes and other values as Markdown.

    Example: `sluice schemas reference > docs/reference.md`
    """
    import sys

    from sluicegate.schemas.reference import as_markdown

    sys.stdout.write(as_markdown())
