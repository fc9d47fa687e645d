"""Compiling the checkpoint of an embedded model: a small BERT with three heads, as `models.pretraining` writes it.

CTranslate2 runs the encoder and the pooling layer; the heads, three small matrices, are kept beside it in
``heads.npz``. The mapping is that of CTranslate2's own converter (ctranslate2/converters/transformers.py, BertLoader),
but the only token type is added to the positions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from sluicegate.models.artifacts.manifest import Quantization
from sluicegate.models.compiler.checkpoint import read_json
from sluicegate.models.compiler.safetensors import Tensor, read_safetensors
from sluicegate.models.inference.heads import Heads
from sluicegate.models.inference.labels import LABELS
from sluicegate.models.inference.tokenizer import TOKENIZER_FILE
from sluicegate.schemas.errors import CheckpointError

_Positive = Annotated[int, msgspec.Meta(gt=0)]


class HeadClasses(msgspec.Struct, frozen=True):
    """The classes of each head, in the order of its rows."""

    labels: list[str]
    intents: list[str]
    aisles: list[str]


class EncoderConfig(msgspec.Struct, frozen=True):
    """The fields of ``config.json`` that decide how the weights are used."""

    hidden_size: _Positive
    intermediate_size: _Positive
    num_hidden_layers: _Positive
    num_attention_heads: _Positive
    max_position_embeddings: _Positive
    vocab_size: _Positive
    type_vocab_size: Literal[1]
    hidden_act: Literal["gelu"]
    layer_norm_eps: float
    heads: HeadClasses

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor of such a checkpoint."""
        hidden, inner = self.hidden_size, self.intermediate_size
        linears = {"bert.pooler.dense": (hidden, hidden)}
        norms = ["bert.embeddings.LayerNorm"]
        for index in range(self.num_hidden_layers):
            layer = f"bert.encoder.layer.{index}"
            linears |= {f"{layer}.attention.self.{part}": (hidden, hidden) for part in ("query", "key", "value")}
            linears |= {f"{layer}.attention.output.dense": (hidden, hidden)}
            linears |= {f"{layer}.intermediate.dense": (inner, hidden), f"{layer}.output.dense": (hidden, inner)}
            norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
        for name in ("labels", "intents", "aisles"):
            linears[name] = (len(getattr(self.heads, name)), hidden)
        shapes: dict[str, tuple[int, ...]] = {
            "bert.embeddings.word_embeddings.weight": (self.vocab_size, hidden),
            "bert.embeddings.position_embeddings.weight": (self.max_position_embeddings, hidden),
            "bert.embeddings.token_type_embeddings.weight": (1, hidden),
        }
        for name, shape in linears.items():
            shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        for name in norms:
            shapes |= {f"{name}.weight": (hidden,), f"{name}.bias": (hidden,)}
        return shapes


class _ModelType(msgspec.Struct):
    model_type: str | None = None


@dataclass(frozen=True)
class EncoderCheckpoint:
    """A checkpoint that passed every check. `tokens` has one entry per row of the embeddings, in order of id."""

    config: EncoderConfig
    tensors: Mapping[str, Tensor]
    tokens: list[str]


def open_encoder(folder: Path) -> EncoderCheckpoint:
    """Check the checkpoint in `folder` and open it.

    Raises:
        CheckpointError: a file is missing, damaged or for other labels; names it.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder: give the folder that `make train` wrote.")
    path = folder / "config.json"
    model_type = read_json(path, _ModelType).model_type
    if model_type != "bert":
        raise CheckpointError(
            f"{path}: model_type is {model_type!r}, an embedded model is 'bert': give the prompt style of Qwen3, "
            "zero_shot or adapted, or a checkpoint of `make train`."
        )
    config = read_json(path, EncoderConfig)
    if tuple(config.heads.labels) != LABELS:
        raise CheckpointError(f"{folder}: it was trained for other labels ({', '.join(config.heads.labels)}).")
    tensors = read_safetensors(folder / "model.safetensors")
    expected = config.shapes()
    for name in sorted(expected.keys() ^ tensors.keys()):
        found = "is missing" if name in expected else "does not belong to the model that config.json describes"
        raise CheckpointError(f"{folder}: tensor {name} {found}. Write the checkpoint again.")
    for name, shape in expected.items():
        if tensors[name].shape != shape:
            raise CheckpointError(
                f"{folder}: {name} has shape {list(tensors[name].shape)}, config.json expects {list(shape)}."
            )
    try:
        vocabulary = Tokenizer.from_file(str(folder / TOKENIZER_FILE)).get_vocab()
    except Exception as error:  # the tokenizers library raises nothing narrower
        raise CheckpointError(f"{folder / TOKENIZER_FILE} is not a tokenizer: {error}.") from error
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    if len(tokens) != config.vocab_size:
        raise CheckpointError(f"{folder}: {TOKENIZER_FILE} has {len(tokens)} tokens, expected {config.vocab_size}.")
    return EncoderCheckpoint(config, tensors, tokens)


def write_encoder(folder: Path, checkpoint: EncoderCheckpoint, quantization: Quantization) -> None:
    """Write model.bin, config.json, vocabulary.json and heads.npz."""
    from ctranslate2 import specs  # here, because it imports torch if torch is installed

    config = checkpoint.config

    def read(name: str) -> NDArray[np.float32]:
        tensor = checkpoint.tensors[name]
        return tensor.rows(0, tensor.shape[0])

    def set_linear(spec: specs.LayerSpec, *names: str) -> None:
        spec.weight = np.concatenate([read(f"{name}.weight") for name in names])
        spec.bias = np.concatenate([read(f"{name}.bias") for name in names])

    def set_norm(spec: specs.LayerSpec, name: str) -> None:
        spec.gamma, spec.beta = read(f"{name}.weight"), read(f"{name}.bias")

    encoder = specs.TransformerEncoderSpec(
        config.num_hidden_layers,
        config.num_attention_heads,
        pre_norm=False,
        activation=specs.Activation.GELU,
        layernorm_embedding=True,
    )
    encoder.scale_embeddings = False
    encoder.embeddings[0].weight = read("bert.embeddings.word_embeddings.weight")
    encoder.position_encodings.encodings = read("bert.embeddings.position_embeddings.weight") + read(
        "bert.embeddings.token_type_embeddings.weight"
    )
    set_norm(encoder.layernorm_embedding, "bert.embeddings.LayerNorm")
    for index, layer in enumerate(encoder.layer):
        prefix = f"bert.encoder.layer.{index}"
        set_linear(layer.self_attention.linear[0], *(f"{prefix}.attention.self.{p}" for p in ("query", "key", "value")))
        set_linear(layer.self_attention.linear[1], f"{prefix}.attention.output.dense")
        set_norm(layer.self_attention.layer_norm, f"{prefix}.attention.output.LayerNorm")
        set_linear(layer.ffn.linear_0, f"{prefix}.intermediate.dense")
        set_linear(layer.ffn.linear_1, f"{prefix}.output.dense")
        set_norm(layer.ffn.layer_norm, f"{prefix}.output.LayerNorm")
    spec = specs.TransformerEncoderModelSpec(encoder, pooling_layer=True, pooling_activation=specs.Activation.Tanh)
    set_linear(spec.pooler_dense, "bert.pooler.dense")
    spec.config.unk_token = "[UNK]"  # noqa: S105 - a token of the vocabulary
    spec.config.layer_norm_epsilon = config.layer_norm_eps
    spec.register_vocabulary(checkpoint.tokens)
    spec.validate()
    spec.optimize(quantization=None if quantization == "float32" else quantization)
    spec.save(str(folder))

    def head(name: str) -> NDArray[np.float32]:
        return np.column_stack([read(f"{name}.weight"), read(f"{name}.bias")])

    Heads(
        head("labels"), head("intents"), head("aisles"), tuple(config.heads.intents), tuple(config.heads.aisles)
    ).save(folder)
