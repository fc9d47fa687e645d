"""What ``sluice models`` does: progress while it works, a table when it is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar
from rich.table import Column, Table

from models.compile import Progress, compile_checkpoint
from models.labels import LABELS_VERSION
from models.manifest import Manifest, Profile, Quantization
from models.policy import Policy
from models.prompts import PROMPT_VERSIONS
from models.pull import pull


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
    profile: Profile,
    adapter: Path | None,
    name: str | None,
) -> Manifest:
    """Compile `source` into `destination`; raises CheckpointError."""
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
