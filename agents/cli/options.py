"""What commands of several files share."""

from importlib.util import find_spec
from typing import Annotated

import typer

from sluicegate.schemas.errors import ConfigurationError

Brokers = Annotated[
    str | None, typer.Option("--brokers", help="Kafka brokers, host:port[,…]; else SLUICE_BOOTSTRAP_SERVERS.")
]


def require_extra(command: str, extra: str, *modules: str) -> None:
    """Raises ConfigurationError, which names the extra to install, when one of `modules` is missing."""
    if any(find_spec(module) is None for module in modules):
        raise ConfigurationError(f"`sluice {command}` needs the extra `{extra}`: pip install 'sluicegate[{extra}]'")
