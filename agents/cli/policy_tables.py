"""The tables of ``sluice policy``: one policy, a registry, and how two policies differ."""

import sys
from datetime import datetime
from pathlib import Path

import msgspec
import orjson
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from sluicegate.agents.cli.policy_runs import Difference
from sluicegate.agents.cli.table_console import table_console
from sluicegate.agents.settings import load_settings
from sluicegate.models.artifacts.deployment import Deployment
from sluicegate.models.policy.policy_file import PolicyFile
from sluicegate.models.policy.registry import PolicyRegistry, RegisteredPolicy
from sluicegate.schemas.errors import ConfigurationError


def registry_at(folder: Path | None) -> PolicyRegistry:
    """The registry in `folder`, else the one that the settings serve.

    Raises:
        ConfigurationError: neither is given, or it is a policy file.
    """
    folder = folder or load_settings().policy
    if folder is None:
        raise ConfigurationError("name the registry's folder with --registry, or set SLUICE_POLICY to it")
    if folder.is_file():
        raise ConfigurationError(f"{folder} is one policy file: name the registry's folder with --registry")
    return PolicyRegistry(folder)


def print_policy(file: PolicyFile, *, as_json: bool) -> None:
    """Print what a policy holds: its version, its lists, and the surfaces that it knows."""
    if as_json:
        document = {
            "policy_version": file.version,
            **msgspec.to_builtins(file.bounds),
            "surfaces": msgspec.to_builtins(file.surfaces),
            "lists": [{**msgspec.to_builtins(each), "terms": len(each.terms)} for each in file.lists],
        }
        sys.stdout.write(f"{orjson.dumps(document).decode()}\n")
        return
    sys.stdout.write(f"{file.version} is correct: {_contents(file)}\n")
    for each in file.lists:
        about = ", ".join(filter(None, [each.category, each.surface and f"surface {each.surface}"]))
        sys.stdout.write(f"  {each.action:<7} {each.name}: {len(each.terms)} terms{f' ({about})' if about else ''}\n")


def print_registry(registry: PolicyRegistry) -> None:
    """Print the policies of `registry`, and why some cannot be served."""
    deployment, policies = registry.deployment(), registry.policies()
    table = Table(
        Column("version", overflow="fold"),
        Column("state, since", overflow="fold"),
        "holds",
        box=SIMPLE_HEAD,
        padding=(0, 1),
    )
    for each in policies:
        table.add_row(escape(each.version), _state(each, deployment), escape(_contents(each.file)) if each.file else "")
    console = table_console()
    console.print(table)
    for each in policies:
        if each.problem:
            console.print(f"{each.version} cannot be served: {each.problem}", markup=False, highlight=False)


def print_difference(found: Difference, *, as_json: bool) -> None:
    """Print how two policies differ."""
    if as_json:
        sys.stdout.write(f"{msgspec.json.encode(found).decode()}\n")
        return
    write = sys.stdout.write
    write(f"{found.before} → {found.after}: {found.changed:.2%} of {found.rows} verdicts change\n")
    for change, count in found.changes.items():
        numbers = ", ".join(map(str, found.lines[change]))
        write(f"  {change}: {count}, on the lines {numbers}{', …' if count > len(found.lines[change]) else ''}\n")
    for title, counts in (("category", found.categories), ("decided then by", found.rules)):
        if counts:
            write(f"  {title}: {', '.join(f'{name} {count}' for name, count in counts.items())}\n")


def _contents(file: PolicyFile) -> str:
    terms = sum(len(each.terms) for each in file.lists)
    surfaces = sorted({*file.surfaces, *(each.surface for each in file.lists if each.surface)})
    named = f", surfaces {', '.join(surfaces)}" if surfaces else ""
    return f"{len(file.lists)} lists, {terms} terms{named}"


def _state(policy: RegisteredPolicy, deployment: Deployment) -> str:
    candidate = deployment.candidate
    lines = ["[red]cannot be served[/]"] if policy.problem else []
    if candidate and candidate.version == policy.version:
        lines.append(f"[yellow]shadow {candidate.share:.2%}[/]{_time(candidate.since)}")
    elif policy.version == deployment.versions[-1]:
        lines.append(f"[green]in use[/]{_time(deployment.since)}")
    elif policy.version in deployment.versions:
        lines.append("[dim]used before[/]")
    return ", ".join(lines)


def _time(since: datetime | None) -> str:
    return f", {since:%Y-%m-%d %H:%M}Z" if since else ""
