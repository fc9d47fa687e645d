"""``sluice``: assembles the commands, one file each. A command imports what it needs when it runs.

That keeps ``--help`` and shell completion quick: no file here imports Faust, a Kafka client or the engine at the top.
"""

import sys
from typing import Annotated, Final

import typer

from sluicegate.agents.cli.ask import ask
from sluicegate.agents.cli.calibrate import calibrate
from sluicegate.agents.cli.capacity import capacity
from sluicegate.agents.cli.config import config
from sluicegate.agents.cli.eval import evaluate
from sluicegate.agents.cli.explain import explain
from sluicegate.agents.cli.format import format_text
from sluicegate.agents.cli.gate import gate
from sluicegate.agents.cli.keys import keys
from sluicegate.agents.cli.learn import learn
from sluicegate.agents.cli.mcp import mcp
from sluicegate.agents.cli.models import models
from sluicegate.agents.cli.policy import policy
from sluicegate.agents.cli.produce import produce
from sluicegate.agents.cli.replay import replay
from sluicegate.agents.cli.review import review
from sluicegate.agents.cli.schemas import schemas
from sluicegate.agents.cli.serve import serve
from sluicegate.agents.cli.spool import spool
from sluicegate.agents.cli.tail import tail
from sluicegate.agents.cli.topics import topics
from sluicegate.agents.cli.trace import trace
from sluicegate.agents.cli.up import up
from sluicegate.agents.cli.worker import worker
from sluicegate.schemas.errors import ExitCode, SluicegateError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Moderate, understand and rewrite search queries before search, recommendation and ads see them.\n\n"
    'Start with `sluice ask "wireless headphons"`; `sluice up` shows the whole stream. Every setting is an environment '
    "variable: see `sluice config show`. `sluice --install-completion` lets the shell complete commands.",
    epilog="Exit codes: " + ", ".join(f"{code.value} {code.meaning}" for code in ExitCode) + ".",
)
app.command("up")(up)
app.command("ask")(ask)
app.command("gate")(gate)
app.command("format")(format_text)
app.command("worker")(worker)
app.command("serve")(serve)
app.command("mcp")(mcp)
app.command("produce")(produce)
app.command("tail")(tail)
app.command("explain")(explain)
app.command("trace")(trace)
app.command("calibrate")(calibrate)
app.command("tune", hidden=True)(calibrate)
app.command("capacity")(capacity)
app.add_typer(topics, name="topics")
app.add_typer(keys, name="keys")
app.add_typer(models, name="models")
app.add_typer(policy, name="policy")
app.add_typer(schemas, name="schemas")
app.add_typer(evaluate, name="eval")
app.add_typer(learn, name="learn")
app.add_typer(replay, name="replay")
app.add_typer(review, name="review")
app.add_typer(spool, name="spool")
app.add_typer(config, name="config")


_USAGE_ERROR: Final[type[Exception]] = typer.BadParameter.__mro__[1]
"""Typer has its own copy of Click's class, and does not export it."""


def main() -> None:
    """Run a command. An error becomes one line on standard error and its exit code."""
    try:
        sys.exit(app(prog_name="sluice", standalone_mode=False))
    except SluicegateError as error:
        sys.stderr.write(_line(str(error)))
        sys.exit(error.exit_code)
    except _USAGE_ERROR as error:
        if type(error).__name__ != "NoArgsIsHelpError":  # its help has been printed
            sys.stderr.write(_line(_usage(error)))
        sys.exit(ExitCode.USAGE)
    except typer.Abort:
        sys.exit(ExitCode.INTERRUPTED)


def _usage(error: Exception) -> str:
    """What is wrong with the arguments, and where to read about them."""
    context = getattr(error, "ctx", None)
    message = str(getattr(error, "format_message", error.__str__)())
    message = " ".join(message.removeprefix("Invalid value: ").split()).rstrip(".")
    return f"{message}: see `{context.command_path if context else 'sluice'} --help`"


def _line(message: str) -> str:
    """`message` as one line, with everything escaped that a terminal would obey: it may quote arguments and files."""
    shown = (each if each.isprintable() else each.encode("unicode_escape").decode() for each in message)
    return f"sluice: {''.join(shown)}\n"


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
