"""The tables of ``sluice models``: one model, and a registry."""

from datetime import datetime
from pathlib import Path

import msgspec
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from sluicegate.agents.cli.table_console import table_console
from sluicegate.agents.settings import load_settings
from sluicegate.models.artifacts.deployment import Deployment, is_registry
from sluicegate.models.artifacts.manifest import MANIFEST_FILE, MODEL_FILES, Manifest
from sluicegate.models.artifacts.registry import RegisteredModel, Registry
from sluicegate.models.inference.policy import Policy
from sluicegate.schemas.errors import ConfigurationError


def registry_at(folder: Path | None) -> Registry:
    """The registry in `folder`, else the one that the settings serve.

    Raises:
        ConfigurationError: the folder is a compiled model.
    """
    folder = folder or load_settings().model
    if not is_registry(folder) and (folder / MANIFEST_FILE).exists():
        raise ConfigurationError(f"{folder} is one compiled model: name the registry's folder with --registry")
    return Registry(folder)


def print_registry(registry: Registry) -> None:
    """Print the models of `registry`, what differs from the one in use, and why some cannot be served."""
    deployment = registry.deployment()
    models = registry.models()
    in_use = next((each.manifest for each in models if each.version == deployment.versions[-1]), None)
    table = Table(
        Column("version", overflow="fold"),
        Column("state, since", overflow="fold"),
        Column("policy", overflow="fold"),
        Column("differs in", overflow="fold"),
        box=SIMPLE_HEAD,
        padding=(0, 1, 1, 0),
    )
    for model in models:
        table.add_row(model.version, _state(model, deployment), _policy(model.manifest), _difference(model, in_use))
    console = table_console()
    console.print(table)
    for model in models:
        if model.problem:
            console.print(f"{model.version} cannot be served: {model.problem}", markup=False, highlight=False)


def print_model(manifest: Manifest, folder: Path, deployment: Deployment | None = None) -> None:
    """Print the manifest of the model in `folder`, its state in a registry, and its policy."""
    version = manifest.model_version
    table = Table("field", Column("value", overflow="fold"), title=escape(f"{version}  {folder}"), title_justify="left")
    if deployment:
        table.add_row("state, since", _state(RegisteredModel(version, manifest), deployment) or "not in use")
    for field, value in msgspec.to_builtins(manifest).items():
        if field == "files":
            for name, digest in sorted(value.items()):
                table.add_row(f"SHA-256 of {name}", digest)
        elif field != "thresholds":
            table.add_row(field, escape(str(value)))
    for category, limit in Policy.layered(manifest.thresholds).thresholds.items():
        table.add_row(f"policy: {category}", f"review from {limit.allow:.2f}, {_block(limit.block)}")
    table_console().print(table)


def _state(model: RegisteredModel, deployment: Deployment) -> str:
    candidate = deployment.candidate
    lines = ["[red]cannot be served[/]"] if model.problem else []
    if candidate and candidate.version == model.version:
        lines += [f"[yellow]{candidate.mode} {candidate.share:.2%}[/]", _time(candidate.since)]
    elif model.version == deployment.versions[-1]:
        lines += ["in use" if model.problem else "[green]in use[/]", _time(deployment.since)]
    elif model.version in deployment.versions:
        lines.append("[dim]used before[/]")
    return "\n".join(filter(None, lines))


def _time(since: datetime | None) -> str:
    return f"{since:%Y-%m-%d %H:%M}Z" if since else ""


def _policy(manifest: Manifest | None) -> str:
    """Temperature, and the lowest and highest threshold of all categories. `sluice models info` shows each one."""
    if manifest is None:
        return ""
    limits = Policy.layered(manifest.thresholds).thresholds.values()
    reviews = sorted(limit.allow for limit in limits)
    blocks = sorted(limit.block for limit in limits if limit.block <= 1)
    block = f"block {blocks[0]:.2f} to {blocks[-1]:.2f}" if blocks else "never block"
    return f"temperature {manifest.temperature:g}\nreview {reviews[0]:.2f} to {reviews[-1]:.2f}\n{block}"


def _difference(model: RegisteredModel, in_use: Manifest | None) -> str:
    other = model.manifest
    if in_use is None or other is None or other == in_use:
        return ""
    parts: list[str] = [name for name in MODEL_FILES if other.files.get(name) != in_use.files.get(name)]
    parts += [
        name.replace("_", " ")
        for name in ("prompt_style", "prompt_version", "labels_version", "temperature", "thresholds", "sum_bound")
        if getattr(other, name) != getattr(in_use, name)
    ]
    return ", ".join(parts) or "nothing that decides"


def _block(block: float) -> str:
    return f"block from {block:.2f}" if block <= 1 else "never block"
