"""The training loop, used twice: the teacher learns from the examples, the student from them and from the teacher.

The student's loss on the verdict is a mean of cross-entropy and of the divergence from the teacher's probabilities at a
temperature (Hinton et al., 2015); where the teacher contradicts the row, the row alone counts. A run that was stopped
resumes from its last saved step.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax
from tqdm import tqdm

from sluicegate.models.pretraining.batches import UNTOLD, Batch, Batches
from sluicegate.models.pretraining.network import GateNetwork, Scores

_SAVE_EVERY: Final = 100
_COMPILED_FROM: Final = 500  # steps; compiling takes a minute and saves a fifth of each step
_SMOOTHING: Final = 0.02
_SIDE_WEIGHT: Final = 0.4
"""The weight of intents and of aisles, beside 1 for the verdict."""
_SIDE_HEADS_FASTER: Final = 10.0
"""The heads of intents and aisles start from nothing and see few rows: at the encoder's rate they learn too little."""
_DISTILLATION_TEMPERATURE: Final = 2.0
_FROM_TEACHER: Final = 0.7


@dataclass(frozen=True)
class FitPlan:
    """What a run is made of; the same plan and data give the same batches."""

    name: str
    steps: int
    learning_rate: float
    batch_size: int = 256
    warmup_steps: int = 100
    seed: int = 21


def fit(
    network: GateNetwork, batches: Batches, plan: FitPlan, folder: Path, teacher: GateNetwork | None = None
) -> None:
    """Fit `network` in place; keeps ``<name>.resume.pt`` in `folder` to go on from."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).train()
    optimiser = make_optimiser(network)
    resume_file = folder / f"{plan.name}.resume.pt"
    step = _resume(resume_file, network, optimiser, device)
    compiled = plan.steps >= _COMPILED_FROM
    forward: Any = torch.compile(network, dynamic=True) if compiled else network
    guide: Any = None
    if teacher is not None:
        teacher.to(device).eval()
        guide = torch.compile(teacher, dynamic=True) if compiled else teacher
    running = math.nan
    with tqdm(total=plan.steps, initial=step, desc=plan.name, unit="step", mininterval=5) as bar:
        for batch in _moved(batches.from_step(step), device):
            if step >= plan.steps:
                break
            torch.manual_seed(1_000_003 * plan.seed + step)  # so that dropout is the same after a stop
            for group in optimiser.param_groups:
                group["lr"] = group["faster"] * learning_rate(step, plan)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                scores = forward(batch.ids, batch.mask)
                guided = _guided(guide, batch)
            loss = _loss(scores, batch, guided)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            running = loss.item() if math.isnan(running) else 0.98 * running + 0.02 * loss.item()
            step += 1
            bar.update()
            bar.set_postfix(loss=f"{running:.3f}", refresh=False)
            if step % _SAVE_EVERY == 0 or step == plan.steps:
                _save(resume_file, network, optimiser, step)
    network.eval()


def make_optimiser(network: GateNetwork) -> torch.optim.Optimizer:
    """AdamW in two groups, each with how much faster than the plan's rate it learns; `fit` sets the rates."""
    side = [*network.intents.parameters(), *network.aisles.parameters()]
    rest = [*network.bert.parameters(), *network.labels.parameters()]
    groups = [{"params": rest, "faster": 1.0}, {"params": side, "faster": _SIDE_HEADS_FASTER}]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), weight_decay=0.01)


def learning_rate(step: int, plan: FitPlan) -> float:
    """Linear warm-up, then a cosine down to a fiftieth."""
    if step < plan.warmup_steps:
        return plan.learning_rate * (step + 1) / plan.warmup_steps
    progress = (step - plan.warmup_steps) / max(1, plan.steps - plan.warmup_steps)
    return plan.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def _guided(guide: Any, batch: Batch) -> Scores | None:
    if guide is None:
        return None
    with torch.no_grad():
        scores: Scores = guide(batch.ids, batch.mask)
    return scores


def _loss(scores: Scores, batch: Batch, guided: Scores | None) -> torch.Tensor:
    labels = scores.labels.float()
    loss = cross_entropy(labels, batch.labels, label_smoothing=_SMOOTHING)
    if guided is not None:
        loss = (1 - _FROM_TEACHER) * loss + _FROM_TEACHER * _divergence(labels, guided.labels.float(), batch.labels)
    for logits, targets in ((scores.intents, batch.intents), (scores.aisles, batch.aisles)):
        if (targets != UNTOLD).any():
            loss = loss + _SIDE_WEIGHT * cross_entropy(logits.float(), targets, ignore_index=UNTOLD)
    return loss


def _divergence(labels: torch.Tensor, guided: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """How far the student is from the teacher, over the queries that the teacher labels as the row does."""
    heat = _DISTILLATION_TEMPERATURE
    apart = kl_div(log_softmax(labels / heat, -1), softmax(guided / heat, -1), reduction="none").sum(-1)
    agreed = guided.argmax(-1) == targets
    return heat**2 * (apart * agreed).sum() / agreed.sum().clamp(min=1)


def _moved(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    return (Batch(*(tensor.to(device) for tensor in batch)) for batch in batches)


def _resume(file: Path, network: GateNetwork, optimiser: torch.optim.Optimizer, device: torch.device) -> int:
    if not file.exists():
        return 0
    saved = torch.load(file, map_location=device, weights_only=True)
    network.load_state_dict(saved["network"])
    optimiser.load_state_dict(saved["optimiser"])
    return int(saved["step"])


def _save(file: Path, network: GateNetwork, optimiser: torch.optim.Optimizer, step: int) -> None:
    partial = file.with_suffix(".part")
    torch.save({"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step}, partial)
    partial.replace(file)
