"""What ``sluice models`` does: progress while it works, a table when it is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar
from rich.table import Column, Table

from sluicegate.agents.settings import load_settings
from sluicegate.models.artifacts.manifest import MANIFEST_FILE, Manifest, PromptStyleName, Quantization
from sluicegate.models.artifacts.registry import Registry, is_registry
from sluicegate.models.compiler.compile import Progress, compile_checkpoint
from sluicegate.models.compiler.lora_merge import read_learnt
from sluicegate.models.compiler.pull import pull
from sluicegate.models.inference.labels import LABELS_VERSION
from sluicegate.models.inference.policy import Policy
from sluicegate.models.inference.prompts import PROMPT_VERSIONS
from sluicegate.schemas.errors import ConfigurationError


@contextmanager
def show_progress(description: str) -> Iterator[Progress]:
    """A progress bar on a terminal's standard error; yields what to call with (done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with ProgressBar(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def pull_with_progress(destination: Path, repo: str, revision: str, quantization: Quantization) -> Manifest:
    """Fetch, compile and verify `repo`; raises CheckpointError."""
    with show_progress("compiling") as report:
        return pull(
            destination,
            labels_version=LABELS_VERSION,
            prompt_version=PROMPT_VERSIONS["zero_shot"],
            repo_id=repo,
            revision=revision,
            quantization=quantization,
            progress=report,
        )


def compile_with_progress(
    source: Path,
    destination: Path,
    quantization: Quantization,
    profile: PromptStyleName | None,
    adapter: Path | None,
    name: str | None,
) -> Manifest:
    """Compile `source` into `destination`, by default for the profile that the adapter was taught.

    Raises:
        CheckpointError: the checkpoint or the adapter is to blame.
    """
    learnt = read_learnt(adapter) if adapter else None
    profile = profile or (learnt.profile if learnt else "zero_shot")
    with show_progress("compiling") as report:
        return compile_checkpoint(
            source,
            destination,
            quantization=quantization,
            profile=profile,
            labels_version=LABELS_VERSION,
            prompt_version=PROMPT_VERSIONS[profile],
            name=name,
            adapter=adapter,
            progress=report,
        )


def registry_at(folder: Path | None) -> Registry:
    """The registry in `folder`, else the one that the settings serve.

    Raises:
        ConfigurationError: the folder is a compiled model.
    """
    folder = folder or load_settings().model
    if not is_registry(folder) and (folder / MANIFEST_FILE).exists():
        raise ConfigurationError(f"{folder} is one compiled model: give a folder of its own with --registry")
    return Registry(folder)


def list_models(registry: Registry) -> None:
    """Print the models of `registry` and their state as a table."""
    deployment = registry.deployment()
    candidate = deployment.candidate
    states = dict.fromkeys(deployment.versions, "[dim]used before[/]")
    states[deployment.versions[-1]] = "[green]in use[/]"
    if candidate:
        states[candidate.version] = f"[yellow]{candidate.mode} {candidate.share:.2%}[/]"
    table = Table(
        Column("version", no_wrap=True),
        Column("state", no_wrap=True),
        "profile",
        "weights",
        Column("compiled", no_wrap=True),
    )
    for manifest in registry.models():
        table.add_row(
            manifest.model_version,
            states.get(manifest.model_version, ""),
            manifest.profile,
            f"{manifest.parameters / 1e6:,.1f} M",
            f"{manifest.created_at:%Y-%m-%d}",
        )
    Console().print(table)


def describe(manifest: Manifest, folder: Path) -> None:
    """Print the manifest of the model in `folder` as a table."""
    table = Table(
        "field", Column("value", overflow="fold"), title=f"{manifest.model_version}  {folder}", title_justify="left"
    )
    for field, value in msgspec.to_builtins(manifest).items():
        table.add_row(field, str(value))
    for category, threshold in Policy.layered(manifest.thresholds).thresholds.items():
        block = f"block from {threshold.block:.2f}" if threshold.block <= 1 else "never block"
        table.add_row(f"policy: {category}", f"review from {threshold.allow:.2f}, {block}")
    Console().print(table)
