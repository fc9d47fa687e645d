"""The tables of ``sluice models``: one model, and a registry."""

from datetime import datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from sluicegate.agents.settings import load_settings
from sluicegate.models.artifacts.manifest import MANIFEST_FILE, MODEL_FILES, Manifest
from sluicegate.models.artifacts.registry import Deployment, RegisteredModel, Registry, is_registry
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
    """Print the models of `registry`, and why some cannot be served."""
    deployment = registry.deployment()
    models = registry.models()
    in_use = next((each.manifest for each in models if each.version == deployment.versions[-1]), None)
    table = Table(
        Column("version", no_wrap=True),
        *("state", "temperature", "review from", "block from", "differs from the one in use in"),
    )
    for model in models:
        table.add_row(model.version, _state(model, deployment), *_policy(model.manifest), _difference(model, in_use))
    console = Console()
    console.print(table)
    for model in models:
        if model.problem:
            console.print(f"{model.version} cannot be served: {model.problem}", markup=False, highlight=False)


def print_model(manifest: Manifest, folder: Path, deployment: Deployment | None = None) -> None:
    """Print the manifest of the model in `folder`, its state in a registry, and its policy."""
    version = manifest.model_version
    table = Table("field", Column("value", overflow="fold"), title=escape(f"{version}  {folder}"), title_justify="left")
    if deployment:
        table.add_row("state", _state(RegisteredModel(version, manifest), deployment) or "not in use")
    for field, value in msgspec.to_builtins(manifest).items():
        if field == "files":
            for name, digest in sorted(value.items()):
                table.add_row(f"SHA-256 of {name}", digest)
        elif field != "thresholds":
            table.add_row(field, escape(str(value)))
    for category, limit in Policy.layered(manifest.thresholds).thresholds.items():
        table.add_row(f"policy: {category}", f"review from {limit.allow:.2f}, {_block(limit.block)}")
    Console().print(table)


def _state(model: RegisteredModel, deployment: Deployment) -> str:
    candidate = deployment.candidate
    problem = "[red]cannot be served[/]\n" if model.problem else ""
    if candidate and candidate.version == model.version:
        return problem + f"[yellow]{candidate.mode} {candidate.share:.2%}[/]{_since(candidate.since)}"
    if model.version == deployment.versions[-1]:
        return problem + ("in use" if problem else "[green]in use[/]") + _since(deployment.since)
    return problem + ("[dim]used before[/]" if model.version in deployment.versions else "")


def _since(time: datetime | None) -> str:
    return f" since {time:%Y-%m-%d %H:%M} UTC" if time else ""


def _policy(manifest: Manifest | None) -> tuple[str, str, str]:
    """Temperature, and the lowest and highest threshold of all categories. `sluice models info` shows each one."""
    if manifest is None:
        return "", "", ""
    limits = Policy.layered(manifest.thresholds).thresholds.values()
    blocks = sorted(limit.block for limit in limits if limit.block <= 1)
    allows = sorted(limit.allow for limit in limits)
    return (
        f"{manifest.temperature:g}",
        f"{allows[0]:.2f} to {allows[-1]:.2f}",
        f"{blocks[0]:.2f} to {blocks[-1]:.2f}" if blocks else "never",
    )


def _difference(model: RegisteredModel, in_use: Manifest | None) -> str:
    other = model.manifest
    if in_use is None or other is None or other == in_use:
        return ""
    parts: list[str] = [name for name in MODEL_FILES if other.files.get(name) != in_use.files.get(name)]
    parts += [
        name.replace("_", " ")
        for name in ("prompt_style", "prompt_version", "labels_version", "temperature", "thresholds")
        if getattr(other, name) != getattr(in_use, name)
    ]
    return ", ".join(parts) or "nothing that decides"


def _block(block: float) -> str:
    return f"block from {block:.2f}" if block <= 1 else "never block"
