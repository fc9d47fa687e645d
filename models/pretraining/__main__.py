"""Train the embedded model: ``python -m sluicegate.models.pretraining --data FOLDER --out FOLDER``.

Writes a checkpoint (config.json, model.safetensors, tokenizer.json) that ``sluice models compile`` turns into a served
model. A run that was stopped resumes when it is started with the same arguments.
"""

from pathlib import Path
from typing import Annotated

import typer

from sluicegate.models.pretraining.stages import TrainingPlan, train


def main(
    data: Annotated[Path, typer.Option(help="Folder with moderation_train.jsonl, intents.jsonl and queries.jsonl.")],
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint and for what a resumed run needs.")],
    teacher_steps: Annotated[int, typer.Option(help="Optimiser steps of the teacher.")] = TrainingPlan.teacher_steps,
    student_steps: Annotated[int, typer.Option(help="Optimiser steps of the student.")] = TrainingPlan.student_steps,
    settling_steps: Annotated[int, typer.Option(help="Last steps of the student.")] = TrainingPlan.settling_steps,
    seed: Annotated[int, typer.Option(help="Seeds data, weights and order.")] = TrainingPlan.seed,
) -> None:
    """Fit the teacher, then the student: about an hour on two CPU cores with bfloat16, minutes on a GPU."""
    train(data, out, TrainingPlan(teacher_steps, student_steps, settling_steps, seed=seed))


if __name__ == "__main__":
    typer.run(main)
