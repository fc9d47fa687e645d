"""``sluice``: assembles the commands, one file each. A command imports what it needs when it runs.

That keeps ``--help`` and shell completion quick: no file here imports Faust, a Kafka client or the engine at the top.
"""

import sys
from typing import Annotated

import typer

from sluicegate.agents.cli.ask import ask
from sluicegate.agents.cli.calibrate import calibrate
from sluicegate.agents.cli.config import config
from sluicegate.agents.cli.eval import evaluate
from sluicegate.agents.cli.gate import gate
from sluicegate.agents.cli.keys import keys
from sluicegate.agents.cli.learn import learn
from sluicegate.agents.cli.mcp import mcp
from sluicegate.agents.cli.models import models
from sluicegate.agents.cli.policy import policy
from sluicegate.agents.cli.produce import produce
from sluicegate.agents.cli.replay import replay
from sluicegate.agents.cli.schemas import schemas
from sluicegate.agents.cli.serve import serve
from sluicegate.agents.cli.spool import spool
from sluicegate.agents.cli.tail import tail
from sluicegate.agents.cli.topics import topics
from sluicegate.agents.cli.up import up
from sluicegate.agents.cli.worker import worker
from sluicegate.schemas.errors import ExitCode, SluicegateError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Moderate, understand and rewrite search queries before search, recommendation and ads see them.\n\n"
    "Try it with `sluice up`. Every setting is an environment variable: see `sluice config show`.",
    epilog="Exit codes: " + ", ".join(f"{code.value} {code.meaning}" for code in ExitCode) + ".",
)
app.command("up")(up)
app.command("ask")(ask)
app.command("gate")(gate)
app.command("worker")(worker)
app.command("serve")(serve)
app.command("mcp")(mcp)
app.command("produce")(produce)
app.command("tail")(tail)
app.command("calibrate")(calibrate)
app.command("tune", hidden=True)(calibrate)
app.add_typer(topics, name="topics")
app.add_typer(keys, name="keys")
app.add_typer(models, name="models")
app.add_typer(policy, name="policy")
app.add_typer(schemas, name="schemas")
app.add_typer(evaluate, name="eval")
app.add_typer(learn, name="learn")
app.add_typer(replay, name="replay")
app.add_typer(spool, name="spool")
app.add_typer(config, name="config")


def main() -> None:
    """Run a command. A `SluicegateError` becomes one line on standard error and its exit code."""
    try:
        app()
    except SluicegateError as error:
        sys.stderr.write(f"sluice: {error}\n")
        sys.exit(error.exit_code)


def _version(wanted: bool) -> None:
    if wanted:
        from sluicegate.schemas.version import VERSION

        sys.stdout.write(f"sluicegate {VERSION}\n")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of `sluice` itself."""
