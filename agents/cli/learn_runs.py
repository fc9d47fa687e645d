"""What ``sluice learn`` does, with progress and a summary."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console

from sluicegate.agents.cli.progress import show_progress
from sluicegate.models.artifacts.manifest import PromptStyleName
from sluicegate.models.data.actions import action_row
from sluicegate.models.data.rows import QueryRow, read_rows
from sluicegate.models.finetuning.reviewed import ReviewedLine, rows_of
from sluicegate.schemas.errors import StreamFailed


def ask_teacher(
    file: Path,
    out: Path,
    model: str,
    base_url: str | None,
    requests_per_minute: float,
    price_in: float,
    price_out: float,
) -> None:
    """Label the queries of `file` into `out`. Prints what it cost and which answers were unusable, however it ends.

    Raises:
        ConfigurationError: the teacher does not work.
        StreamFailed: `out` cannot be written.
        ContractError: no answer was usable.
    """
    from sluicegate.models.finetuning.teacher import Bill, label

    texts = [row.written for row in read_rows(file, QueryRow)]
    bill = Bill(price_in, price_out)
    try:
        with _writing(out), show_progress(f"asking {model}") as progress:
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
        _print(
            f"{bill.labelled} labelled, {bill.unusable.total()} unusable; {bill.tokens_in} tokens read, "
            f"{bill.tokens_out} written, cost {bill.cost:.4f}"
        )
        for reason, count in bill.unusable.most_common():
            _print(f"{count} unusable: {reason}")


def ask_local_teacher(file: Path, out: Path, model: Path) -> None:
    """Label the queries of `file` into `out` with the compiled model in the folder `model`.

    Raises:
        CompiledModelError: the model cannot be served.
        StreamFailed: `out` cannot be written.
    """
    from sluicegate.models.finetuning.local_teacher import label_locally

    texts = [row.written for row in read_rows(file, QueryRow)]
    with _writing(out), show_progress(f"asking {model.name}") as progress:
        labelled = label_locally(texts, out, model, progress)
    _print(f"{labelled} labelled by {model.name}")


def take_verdicts(file: Path, out: Path) -> None:
    """Write a row per reviewed query of `file` to `out`.

    Raises:
        StreamFailed: `out` cannot be written.
    """
    rows = rows_of(line.value for line in read_rows(file, ReviewedLine))
    with _writing(out):
        out.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    corrected = sum(row.clean is not None for row in rows)
    _print(f"{len(rows)} rows in {out}, {corrected} of them with a correction")


def make_formatter_rows(out: Path, count: int, seed: int) -> None:
    """Write `count` synthetic rows to `out`.

    Raises:
        StreamFailed: `out` cannot be written.
    """
    rng = random.Random(seed)  # noqa: S311 - reproducible rows, not a secret
    with _writing(out), out.open("wb") as file:
        for _ in range(count):
            file.write(msgspec.json.encode(action_row(rng)) + b"\n")
    _print(
        f"{count} rows in {out}. Next: sluice learn lora CHECKPOINT ADAPTER --data {out.parent} "
        "--prompt-style formatter"
    )


def train_adapter(
    checkpoint: Path,
    out: Path,
    data: Path,
    text: Path | None,
    prompt_style: PromptStyleName,
    epochs: int,
    learning_rate: float,
    rank: int,
) -> None:
    """Train the adapter `out` for `checkpoint` on `data`.

    Raises:
        StreamFailed: `text` cannot be read.
    """
    from sluicegate.models.finetuning.adapter import AdapterPlan, train

    try:
        texts = text.read_text("utf-8", errors="replace").splitlines() if text else []
    except OSError as error:
        raise StreamFailed(f"cannot read {text}: {error.strerror or error}") from None
    plan = AdapterPlan(epochs=epochs, learning_rate=learning_rate, rank=rank, alpha=2 * rank, prompt_style=prompt_style)
    result = train(checkpoint, data, out, plan, texts)
    _print(
        f"{result.examples} examples, {result.held_out} held out: loss {result.loss_before:.3f} → "
        f"{result.loss_best:.3f} at step {result.best_step}. "
        f"Next: sluice models compile {checkpoint} MODEL --adapter {out}"
    )


def _print(line: str) -> None:
    Console(soft_wrap=True).print(line, highlight=False, markup=False)


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise StreamFailed(f"cannot write {out}: {error.strerror or error}") from None
