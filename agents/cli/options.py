"""Options that commands of several files share."""

from typing import Annotated

import typer

Brokers = Annotated[
    str | None, typer.Option("--brokers", help="Kafka brokers, host:port[,…]; else SLUICE_BOOTSTRAP_SERVERS.")
]
