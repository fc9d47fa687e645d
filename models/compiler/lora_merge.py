"""Merging a PEFT LoRA adapter into a checkpoint's weights, as they are read.

W' = W + (alpha / r) · B · A, or alpha / sqrt(r) with rank-stabilised LoRA (https://arxiv.org/abs/2106.09685,
https://arxiv.org/abs/2312.03732). The sum is computed in float32 and rounded once, by the quantization that follows.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from sluicegate.models.artifacts.manifest import PromptStyleName
from sluicegate.models.compiler.checkpoint import read_json
from sluicegate.models.compiler.safetensors import FloatType, Tensor, Weight, read_safetensors
from sluicegate.schemas.errors import CheckpointError

WEIGHTS_FILE = "adapter_model.safetensors"
LEARNT_PROMPT_FILE = "sluicegate.json"
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_FACTOR = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<factor>[AB])\.weight")
# Other initialisations (PiSSA, OLoRA, CorDA, LoftQ) also change the base weights, so the adapter is not enough.
_PLAIN_INITIALISATIONS = (True, False, "gaussian", "orthogonal")

_T = TypeVar("_T")
_Positive = Annotated[int, msgspec.Meta(gt=0)]


# What PEFT writes for a variant that is off. Anything else would change the sum above.
_OFF = (b"null", b"false", b"[]", b"{}", b'"none"')
_VARIANTS = (
    *("modules_to_save", "trainable_token_indices", "target_parameters", "layer_replication", "fan_in_fan_out"),
    *("bias", "lora_bias", "use_dora", "use_qalora", "use_bdlora", "alora_invocation_tokens", "arrow_config"),
    *("loftq_config", "corda_config", "lora_ga_config", "kasa_config", "velora_config", "monteclora_config"),
)


class _AdapterConfig(msgspec.Struct):
    peft_type: str
    r: _Positive
    lora_alpha: float
    use_rslora: bool = False
    rank_pattern: dict[str, _Positive] = {}
    alpha_pattern: dict[str, float] = {}
    init_lora_weights: bool | str | None = True


class LearntPrompt(msgspec.Struct, frozen=True):
    """The prompt that an adapter was trained with, from the file that `sluice learn lora` writes next to it."""

    prompt_style: PromptStyleName = msgspec.field(name="profile")  # the name in files of earlier versions
    prompt_version: str


def read_learnt_prompt(folder: Path) -> LearntPrompt | None:
    """The prompt that the adapter in `folder` was trained with; None if it was not trained by `sluice learn lora`.

    Raises:
        CheckpointError: the file cannot be read.
    """
    path = folder / LEARNT_PROMPT_FILE
    return read_json(path, LearntPrompt) if path.exists() else None


@dataclass(frozen=True)
class MergedTensor:
    """A checkpoint's tensor with its low-rank update added."""

    base: Tensor
    down: NDArray[np.float32]  # A, [r, columns]
    up: NDArray[np.float32]  # scaling · B, [rows, r]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.base.shape

    @property
    def dtype(self) -> FloatType:
        return self.base.dtype

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Rows `start` to `stop` of the sum."""
        rows = self.base.rows(start, stop)
        rows += self.up[start:stop] @ self.down
        return rows


def merge_adapter(folder: Path, tensors: Mapping[str, Tensor]) -> dict[str, Weight]:
    """All tensors of the checkpoint, with the adapter merged. Reads the adapter now and the checkpoint later.

    Raises:
        CheckpointError: the adapter is incomplete, of another kind, or made for another model.
    """
    config = _read_config(folder / "adapter_config.json")
    path = folder / WEIGHTS_FILE
    factors: dict[str, dict[str, Tensor]] = {}
    for key, tensor in read_safetensors(path).items():
        match = _FACTOR.fullmatch(key)
        if match is None or not match["module"].endswith(TARGETS):
            raise CheckpointError(
                f"{path}: {key} cannot be merged: train LoRA on {', '.join(TARGETS)} only, saving no other module."
            )
        factors.setdefault(match["module"], {})[match["factor"]] = tensor
    if not factors:
        raise CheckpointError(f"{path} has no LoRA weights: save the adapter again with save_pretrained.")
    merged: dict[str, Weight] = dict(tensors)
    for module, pair in factors.items():
        merged[f"{module}.weight"] = _merge(path, config, module, pair, tensors.get(f"{module}.weight"))
    return merged


def _read_config(path: Path) -> _AdapterConfig:
    fields = read_json(path, dict[str, msgspec.Raw])
    refused = [name for name in _VARIANTS if name in fields and bytes(fields[name]) not in _OFF]
    config = read_json(path, _AdapterConfig)
    if config.peft_type != "LORA":
        refused.append("peft_type")
    if config.init_lora_weights not in _PLAIN_INITIALISATIONS:
        refused.append("init_lora_weights")
    if refused:
        raise CheckpointError(
            f"{path}: {refused[0]} is set to something that cannot be merged: "
            "train a plain LoRA, or merge the adapter with PEFT first."
        )
    return config


def _merge(path: Path, config: _AdapterConfig, module: str, pair: Mapping[str, Tensor], base: Tensor | None) -> Weight:
    if base is None:
        raise CheckpointError(f"{path}: the checkpoint has no {module}.weight: give the base model of the adapter.")
    rank = _by_pattern(config.rank_pattern, module, config.r)
    rows, columns = base.shape
    for factor, shape in {"A": (rank, columns), "B": (rows, rank)}.items():
        if factor not in pair:
            raise CheckpointError(f"{path}: lora_{factor} of {module} is missing: save the adapter again.")
        if pair[factor].shape != shape:
            raise CheckpointError(
                f"{path}: lora_{factor} of {module} has shape {list(pair[factor].shape)}, expected {list(shape)}: "
                "give the base model of the adapter, and its own adapter_config.json."
            )
    alpha = _by_pattern(config.alpha_pattern, module, config.lora_alpha)
    scaling = np.float32(alpha / (math.sqrt(rank) if config.use_rslora else rank))
    return MergedTensor(base, down=pair["A"].rows(0, rank), up=pair["B"].rows(0, rows) * scaling)


def _by_pattern(patterns: Mapping[str, _T], module: str, default: _T) -> _T:
    """The value of the first pattern that matches the end of the module's name, as PEFT chooses it."""
    for pattern, value in patterns.items():
        try:
            if re.fullmatch(rf"(.*\.)?({pattern})", module):
                return value
        except re.error as error:
            raise CheckpointError(f"adapter_config.json: pattern {pattern!r} is not a regular expression.") from error
    return default
