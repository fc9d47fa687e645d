"""The encoder that training fits: a small BERT, and a linear layer for each of label, intent and aisle.

The three read one pooled vector: the first token's, through a dense layer and tanh, as BERT pools.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import torch
import transformers

from sluicegate.models.data.products import AISLES
from sluicegate.models.inference.labels import LABELS, Intent
from sluicegate.models.pretraining.pretrained import PretrainedEncoder

HIDDEN: Final = 384
TEACHER_LAYERS: Final = 6
STUDENT_LAYERS: Final = 4
MAX_TOKENS: Final = 128

INTENTS: Final = tuple(intent.value for intent in Intent)
AISLE_NAMES: Final = tuple(dict.fromkeys(aisle.category for aisle in AISLES))


class Scores(NamedTuple):
    """Logits of a batch, each (queries, classes)."""

    labels: torch.Tensor
    intents: torch.Tensor
    aisles: torch.Tensor


def encoder_config(layers: int, vocabulary: int) -> transformers.BertConfig:
    """The shape of teacher and student, which differ in depth only."""
    return transformers.BertConfig(
        vocab_size=vocabulary,
        hidden_size=HIDDEN,
        num_hidden_layers=layers,
        num_attention_heads=12,
        intermediate_size=1536,
        hidden_act="gelu",
        max_position_embeddings=MAX_TOKENS,
        type_vocab_size=1,
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",  # on a CPU, the fused attention takes most of a step's time
    )


class GateNetwork(torch.nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Token ids and mask, each (queries, length), to `Scores`."""

    def __init__(self, layers: int, vocabulary: int) -> None:
        super().__init__()
        self.bert: Any = transformers.BertModel(encoder_config(layers, vocabulary), add_pooling_layer=True)
        self.labels = torch.nn.Linear(HIDDEN, len(LABELS))
        self.intents = torch.nn.Linear(HIDDEN, len(INTENTS))
        self.aisles = torch.nn.Linear(HIDDEN, len(AISLE_NAMES))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> Scores:
        """The scores of each query."""
        pooled = self.bert(input_ids=ids, attention_mask=mask).pooler_output
        return Scores(self.labels(pooled), self.intents(pooled), self.aisles(pooled))

    def load_pretrained(self, pretrained: PretrainedEncoder, embeddings: torch.Tensor) -> None:
        """Start from the pretrained layers and from `embeddings`, (vocabulary, dimensions)."""
        tensors = dict(pretrained.tensors)
        tensors["embeddings.word_embeddings.weight"] = embeddings
        tensors["embeddings.position_embeddings.weight"] = tensors["embeddings.position_embeddings.weight"][:MAX_TOKENS]
        tensors["embeddings.token_type_embeddings.weight"] = tensors["embeddings.token_type_embeddings.weight"][:1]
        self._load({name: tensor for name, tensor in tensors.items() if not name.startswith("pooler.")})

    def load_lower_layers(self, teacher: "GateNetwork") -> None:
        """Start from the first layers of the fitted teacher, its embeddings, pooling and heads.

        Dropping the upper layers keeps most of what a BERT has learnt (Sajjad et al., 2023).
        """
        self._load(teacher.bert.state_dict())
        for mine, theirs in (
            (self.labels, teacher.labels),
            (self.intents, teacher.intents),
            (self.aisles, teacher.aisles),
        ):
            mine.load_state_dict(theirs.state_dict())

    def _load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        mine = self.bert.state_dict()
        self.bert.load_state_dict({**mine, **{name: tensor for name, tensor in tensors.items() if name in mine}})
