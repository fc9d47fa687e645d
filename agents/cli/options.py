"""Options and checks that several commands share."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from sluicegate.schemas.errors import ConfigurationError

Brokers = Annotated[
    str | None,
    typer.Option(
        "--brokers", metavar="HOST:PORT,…", help="Kafka brokers. Default: SLUICE_BOOTSTRAP_SERVERS, localhost:9092."
    ),
]

_NAME_HELP = "The event: its id, its trace id, or topic-partition-offset of its raw record or of an output."
EventName = Annotated[str, typer.Argument(metavar="EVENT", help=_NAME_HELP)]
OptionalEventName = Annotated[str | None, typer.Argument(metavar="[EVENT]", help=_NAME_HELP)]
RecordsFile = Annotated[
    Path | None,
    typer.Option(help="Ledger records: JSON lines, a spool, or - for standard input. Default: the ledger's topic."),
]


def require_extra(command: str, extra: str, *modules: str) -> None:
    """Raise ConfigurationError, which names the extra to install, if one of `modules` is missing."""
    if any(find_spec(module) is None for module in modules):
        raise ConfigurationError(
            f"`sluice {command}` needs the extra `{extra}`. In a clone: pip install --editable '.[{extra}]'"
        )
