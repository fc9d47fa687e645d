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


@schemas.command("publish")
def schemas_publish() -> None:
    """Publish the schema of each event to the schema registry, and print the topics with the ids of their schemas.

    Workers do that themselves, unless SLUICE_SCHEMA_REGISTRY_REGISTER is false.

    Example: `sluice schemas publish`
    """
    from rich.console import Console

    from sluicegate.agents.kafka.schema_registry import publish_schemas
    from sluicegate.agents.settings import load_settings
    from sluicegate.schemas.errors import ConfigurationError

    settings = load_settings(schema_registry_register=True)
    if not settings.schema_registry_url:
        raise ConfigurationError("there is no schema registry: set SLUICE_SCHEMA_REGISTRY_URL")
    for topic, schema_id in publish_schemas(settings).items():
        Console().print(f"{topic}-value  {schema_id}", highlight=False)


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
