"""Train the embedded model: ``python -m sluicegate.models.pretraining --data FOLDER --out FOLDER``.

Writes a Hugging Face Qwen3 checkpoint (config.json, model.safetensors, tokenizer.json) that ``sluice models compile``
turns into a served model. A run that was stopped resumes when it is started with the same arguments.
"""

from pathlib import Path
from typing import Annotated

import typer

from sluicegate.models.pretraining.loop import TrainingPlan, train


def main(
    data: Annotated[Path, typer.Option(help="Folder with moderation_train.jsonl, intents.jsonl and queries.jsonl.")],
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint and for what a resumed run needs.")],
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = TrainingPlan.steps,
    seed: Annotated[int, typer.Option(help="Seeds data, weights and order.")] = TrainingPlan.seed,
) -> None:
    """Train the embedded model from scratch; an hour or two on two CPU cores, minutes on a GPU."""
    train(data, out, TrainingPlan(steps=steps, seed=seed))


if __name__ == "__main__":
    typer.run(main)
