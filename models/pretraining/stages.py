"""Training from start to end: vocabulary, teacher, student, checkpoint. Each stage is kept, and not done again.

tokenizer.json        the vocabulary
teacher.resume.pt     all six layers of the pretrained encoder, fitted
student.resume.pt     its first four layers, fitted to the examples and to the teacher
expansions.tsv        the catalogue's nouns and synonyms
settled.resume.pt     the student, fitted further to the examples alone
model.safetensors     the mean of the last two, with config.json: what ``sluice models compile`` reads
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from sluicegate.models.data.wordpiece import wordpiece_tokenizer
from sluicegate.models.inference.expansions import EXPANSIONS_FILE
from sluicegate.models.inference.labels import LABELS
from sluicegate.models.pretraining.batches import Batches
from sluicegate.models.pretraining.expansion_list import write_expansions
from sluicegate.models.pretraining.fitting import FitPlan, fit
from sluicegate.models.pretraining.mixture import Mixture
from sluicegate.models.pretraining.network import (
    AISLE_NAMES,
    INTENTS,
    STUDENT_LAYERS,
    TEACHER_LAYERS,
    GateNetwork,
    encoder_config,
)
from sluicegate.models.pretraining.pretrained import PretrainedEncoder, read_pretrained
from sluicegate.models.pretraining.wordpieces import choose_pieces, initial_embeddings

Tensors: TypeAlias = dict[str, torch.Tensor]

_TEXTS_COUNTED: Final = 200_000
_SETTLED_SHARE: Final = 0.8
"""How much of the written weights is the settled student; the rest is the student before (Wortsman et al., 2022). The
mean keeps what the student has from the teacher on queries unlike the rows."""


@dataclass(frozen=True)
class TrainingPlan:
    """How long each stage is, in optimiser steps of `batch_size` examples."""

    teacher_steps: int = 900
    student_steps: int = 2000
    settling_steps: int = 2000
    batch_size: int = 256
    seed: int = 21


def train(data: Path, out: Path, plan: TrainingPlan) -> None:
    """Run the stages that `out` does not have yet; then write the checkpoint into it."""
    out.mkdir(parents=True, exist_ok=True)
    mixture = Mixture(data)
    pretrained = read_pretrained()
    pieces = _vocabulary(out / "tokenizer.json", mixture, pretrained, plan)
    tokenizer = wordpiece_tokenizer(pieces)

    torch.manual_seed(plan.seed)  # the layers that are not pretrained
    teacher = GateNetwork(TEACHER_LAYERS, len(pieces))
    teacher.load_pretrained(pretrained, initial_embeddings(pieces, pretrained))
    fit(
        teacher,
        Batches(mixture, tokenizer, plan.batch_size, f"teacher-{plan.seed}"),
        FitPlan("teacher", plan.teacher_steps, 1.5e-4, seed=plan.seed),
        out,
    )
    student = GateNetwork(STUDENT_LAYERS, len(pieces))
    student.load_lower_layers(teacher)
    fit(
        student,
        Batches(mixture, tokenizer, plan.batch_size, f"student-{plan.seed}"),
        FitPlan("student", plan.student_steps, 2e-4, seed=plan.seed),
        out,
        teacher,
    )
    before = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    fit(
        student,
        Batches(mixture, tokenizer, plan.batch_size, f"settled-{plan.seed}"),
        FitPlan("settled", plan.settling_steps, 1e-4, warmup_steps=20, seed=plan.seed),
        out,
    )
    student.load_state_dict(_mean(student.state_dict(), before, _SETTLED_SHARE))
    write_checkpoint(student, STUDENT_LAYERS, out)
    write_expansions(out / EXPANSIONS_FILE)


def _mean(tensors: Tensors, others: Tensors, share: float) -> Tensors:
    return {
        name: torch.lerp(others[name], tensor, share) if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }


def _vocabulary(file: Path, mixture: Mixture, pretrained: PretrainedEncoder, plan: TrainingPlan) -> list[str]:
    if not file.exists():
        texts = (example.text for example in mixture.draw(_TEXTS_COUNTED, f"vocabulary-{plan.seed}"))
        wordpiece_tokenizer(choose_pieces(texts, pretrained)).save(str(file))
    vocabulary = Tokenizer.from_file(str(file)).get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def write_checkpoint(network: GateNetwork, layers: int, folder: Path) -> None:
    """Write `network` as config.json and model.safetensors; the tokenizer is there already."""
    config = encoder_config(layers, network.bert.config.vocab_size).to_dict()
    classes = {"labels": list(LABELS), "intents": list(INTENTS), "aisles": list(AISLE_NAMES)}
    (folder / "config.json").write_text(json.dumps({**config, "heads": classes}, indent=2))
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, folder / "model.safetensors")
