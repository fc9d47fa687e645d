"""Train the embedded model: ``python -m sluicegate.models.pretraining --data FOLDER --out FOLDER``.

Writes a Hugging Face Qwen3 checkpoint (config.json, model.safetensors, tokenizer.json) that ``sluice models compile``
turns into a served model. Stopped and started again with the same arguments, it goes on where it was.
"""

from pathlib import Path
from typing import Annotated

import typer

from sluicegate.models.pretraining.loop import TrainingPlan, train


def main(
    data: Annotated[Path, typer.Option(help="Folder with moderation_train.jsonl, intents.jsonl and queries.jsonl.")],
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint; also holds what is needed to resume.")],
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = TrainingPlan.steps,
    seed: Annotated[int, typer.Option(help="Seeds data, weights and order.")] = TrainingPlan.seed,
) -> None:
    """Train the embedded model from scratch; an hour or two on two CPU cores, minutes on a GPU."""
    train(data, out, TrainingPlan(steps=steps, seed=seed))


if __name__ == "__main__":
    typer.run(main)
