"""The linear layers on top of the embedded model's encoder: label, intent and aisle of a query, from one vector."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from sluicegate.models.inference.labels import LABELS
from sluicegate.schemas.errors import CompiledModelError

HEADS_FILE: Final = "heads.npz"

Matrix = NDArray[np.float32]


class HeadLogits(NamedTuple):
    """Each (queries, classes)."""

    labels: Matrix
    intents: Matrix
    aisles: Matrix


@dataclass(frozen=True)
class Heads:
    """A matrix (classes, dimensions + 1) for each head, the bias last, and the names of its classes."""

    _MATRICES: ClassVar = ("labels", "intents", "aisles")
    _NAMES: ClassVar = ("intent_names", "aisle_names")

    labels: Matrix
    intents: Matrix
    aisles: Matrix
    intent_names: tuple[str, ...]
    aisle_names: tuple[str, ...]

    @classmethod
    def load(cls, folder: Path) -> "Heads":
        """Read ``heads.npz``.

        Raises:
            CompiledModelError: it is missing, damaged or for other labels.
        """
        path = folder / HEADS_FILE
        try:
            with np.load(path, allow_pickle=False) as arrays:
                labels, intents, aisles = (np.asarray(arrays[name], np.float32) for name in cls._MATRICES)
                names = [tuple(map(str, arrays[name].tolist())) for name in cls._NAMES]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise CompiledModelError(f"cannot read {path}: {error}. Compile the model again.") from None
        heads = cls(labels, intents, aisles, *names)
        sizes = (len(heads.labels), len(heads.intents), len(heads.aisles))
        if sizes != (len(LABELS), len(heads.intent_names), len(heads.aisle_names)):
            raise CompiledModelError(f"{path} is for other labels: compile the model again.")
        return heads

    def save(self, folder: Path) -> None:
        """Write ``heads.npz``, in half precision."""
        np.savez(
            folder / HEADS_FILE,
            labels=self.labels.astype(np.float16),
            intents=self.intents.astype(np.float16),
            aisles=self.aisles.astype(np.float16),
            intent_names=np.array(self.intent_names),
            aisle_names=np.array(self.aisle_names),
        )

    def logits(self, pooled: Matrix) -> HeadLogits:
        """The logits of each head for `pooled`, (queries, dimensions)."""
        return HeadLogits(*(pooled @ head[:, :-1].T + head[:, -1] for head in (self.labels, self.intents, self.aisles)))
