"""What ``sluice learn`` does: rows from a teacher or from reviewers, and an adapter from rows."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console

from sluicegate.agents.cli.progress import show_progress
from sluicegate.models.artifacts.manifest import PromptStyleName
from sluicegate.models.data.rows import QueryRow, read_rows
from sluicegate.models.finetuning.reviewed import ReviewedLine, rows_of
from sluicegate.schemas.errors import ConfigurationError


def ask_teacher(
    file: Path,
    out: Path,
    model: str,
    base_url: str | None,
    requests_per_minute: float,
    price_in: float,
    price_out: float,
) -> None:
    """Label the queries of `file` into `out`, and say what it cost, whatever ends it.

    Raises:
        ConfigurationError: `out` cannot be written, or there is no teacher.
    """
    from sluicegate.models.finetuning.teacher import Bill, label

    texts = [row.written for row in read_rows(file, QueryRow)]
    bill = Bill(price_in, price_out)
    try:
        with _written(out), show_progress(f"asking {model}") as progress:
            asyncio.run(
                label(
                    texts,
                    out,
                    model=model,
                    base_url=base_url,
                    requests_per_minute=requests_per_minute,
                    bill=bill,
                    progress=progress,
                )
            )
    finally:
        Console().print(
            f"{bill.labelled} labelled, {bill.unusable} unusable; {bill.tokens_in} tokens read, "
            f"{bill.tokens_out} written, cost {bill.cost:.4f}",
            highlight=False,
        )


def take_verdicts(file: Path, out: Path) -> None:
    """Write a row per reviewed query of `file` to `out`.

    Raises:
        ConfigurationError: `out` cannot be written.
    """
    rows = rows_of(line.value for line in read_rows(file, ReviewedLine))
    with _written(out):
        out.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    Console().print(f"{len(rows)} rows in {out}", highlight=False)


def tune_checkpoint(
    checkpoint: Path,
    out: Path,
    data: Path,
    text: Path | None,
    profile: PromptStyleName,
    epochs: int,
    learning_rate: float,
    rank: int,
) -> None:
    """Tune `checkpoint` on `data` into the adapter `out`.

    Raises:
        ConfigurationError: `text` cannot be read.
    """
    from sluicegate.models.finetuning.adapter import AdapterPlan, tune

    try:
        texts = text.read_text("utf-8", errors="replace").splitlines() if text else []
    except OSError as error:
        raise ConfigurationError(f"cannot read {text}: {error.strerror or error}") from None
    plan = AdapterPlan(epochs=epochs, learning_rate=learning_rate, rank=rank, alpha=2 * rank, prompt_style=profile)
    tuned = tune(checkpoint, data, out, plan, texts)
    Console().print(
        f"{tuned.lessons} lessons, {tuned.held_out} held out: loss {tuned.loss_before:.3f} → {tuned.loss_best:.3f} at "
        f"step {tuned.best_step}. Next: sluice models compile {checkpoint} MODEL --adapter {out}",
        highlight=False,
    )


@contextmanager
def _written(out: Path) -> Iterator[None]:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ConfigurationError(f"cannot write {out}: {error.strerror or error}") from None
