"""``sluice config``: the settings and their values."""

from __future__ import annotations

import shlex
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sluicegate.agents.settings import SettingDescription

config = typer.Typer(no_args_is_help=True, help="The settings.")

_WIDTH = 80


@config.command("show")
def config_show(
    changed: Annotated[bool, typer.Option("--changed", help="Only settings that differ from the default.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    as_env: Annotated[bool, typer.Option("--env", help="Print lines for an environment file.")] = False,
) -> None:
    """Show every setting: its environment variable, its value, its default and its meaning.

    Secrets are masked. Variables with our prefix that are not settings are named on standard error.

    Example: `sluice config show --changed`
    """
    from sluicegate.agents.settings import describe_settings, load_settings, warnings_about

    if as_json and as_env:
        raise typer.BadParameter("--json and --env exclude each other")
    loaded = load_settings()
    settings = [setting for setting in describe_settings(loaded) if setting.changed or not changed]
    for warning in warnings_about(loaded):
        sys.stderr.write(f"sluice: {warning}\n")
    if as_json:
        _print_json(settings)
    elif as_env:
        sys.stdout.writelines(f"{_env_line(setting)}\n" for setting in settings)
    else:
        _print_text(settings)
        if loaded.policy:
            sys.stdout.write(f"\nPolicy in use: {_policy_version(loaded.policy)}\n")


@config.command("docs")
def config_docs() -> None:
    """Print the reference of all settings as Markdown.

    Example: `sluice config docs > docs/settings.md`
    """
    from sluicegate.agents.settings import as_markdown

    sys.stdout.write(as_markdown())


def _policy_version(path: Path) -> str:
    from sluicegate.models.policy.serving import policies_from
    from sluicegate.schemas.errors import PolicyFileError

    try:
        file = policies_from(path).in_use.file
    except PolicyFileError as error:
        return f"refused: {error}"
    return file.version if file else ""


def _print_json(settings: Iterable[SettingDescription]) -> None:
    import orjson

    document = {
        setting.variable: {
            "section": setting.section,
            "value": setting.value,
            "default": setting.default,
            "changed": setting.changed,
            "meaning": setting.meaning,
        }
        for setting in settings
    }
    option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    sys.stdout.write(orjson.dumps(document, option=option).decode())


def _env_line(setting: SettingDescription) -> str:
    if setting.secret:
        return f"# {setting.variable} is set; its value is not shown"
    return f"# {setting.variable}=" if setting.value is None else f"{setting.variable}={shlex.quote(setting.value)}"


def _print_text(settings: Iterable[SettingDescription]) -> None:
    """A heading per section; per setting one line with its value and its meaning below, wrapped for 80 columns."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    section = ""
    for setting in settings:
        if setting.section != section:
            section = setting.section
            console.print(Text(f"\n{section}", style="bold"))
        line = Text(f"  {setting.variable} = {setting.value or '(unset)'}", style="yellow" if setting.changed else "")
        if setting.changed:
            line.append(f"  (default: {setting.default or 'unset'})", style="dim")
        console.print(line)
        indent = " " * 6
        meaning = textwrap.fill(setting.meaning, _WIDTH, initial_indent=indent, subsequent_indent=indent)
        console.print(Text(meaning, style="dim"))
