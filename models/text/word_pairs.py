"""How much likelier two words stand beside each other than chance has it: what makes `lether` before `shoes` leather.

`speller_pairs.npz` has the pairs as a sorted array of 32-bit hashes, and for each how many nats likelier it is. Of two
words that are no pair in it, one in ten thousand pairs is taken for one.
"""

import zipfile
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from math import log
from pathlib import Path
from typing import Final

import numpy as np

from sluicegate.schemas.errors import CompiledModelError

SPELLER_PAIRS_FILE: Final = "speller_pairs.npz"

_STEPS: Final = 16
"""Steps of a nat that a gain is saved in: one byte holds up to 16 nats."""
_UNSEEN: Final = 200
"""Uses in a thousand million words of the commonest pairs that are not in the list."""
_THOUSAND_MILLION: Final = 1e9
_WORST: Final = -6.0


class WordPairs:
    """Looks up pairs. Thread-safe."""

    def __init__(self, hashes: "array[int]", gains: bytes) -> None:
        self._hashes = hashes
        self._gains = gains

    @classmethod
    def of(cls, gains: Mapping[tuple[str, str], float]) -> "WordPairs":
        """The pairs of `gains`, each in nats; what is below zero counts as zero."""
        steps = {_hash(*pair): min(255, max(0, round(gain * _STEPS))) for pair, gain in gains.items()}
        return cls(array("I", sorted(steps)), bytes(steps[each] for each in sorted(steps)))

    @classmethod
    def load(cls, folder: Path) -> "WordPairs":
        """Read the pairs of the compiled model in `folder`.

        Raises:
            CompiledModelError: the file is missing or damaged; names it.
        """
        path = folder / SPELLER_PAIRS_FILE
        try:
            with np.load(path, allow_pickle=False) as saved:
                hashes, gains = saved["hashes"].astype(np.uint32), saved["gains"].astype(np.uint8)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise CompiledModelError(f"cannot read {path}: {error}. Copy or compile the model again.") from None
        if hashes.shape != gains.shape:
            raise CompiledModelError(f"{path} has not one gain for each pair. Copy or compile the model again.")
        return cls(array("I", hashes.tobytes()), gains.tobytes())

    def save(self, folder: Path) -> None:
        """Write `SPELLER_PAIRS_FILE` into `folder`: the same bytes for the same pairs."""
        hashes, gains = np.array(self._hashes, np.uint32), np.frombuffer(self._gains, np.uint8)
        np.savez(folder / SPELLER_PAIRS_FILE, hashes=hashes, gains=gains)

    def __len__(self) -> int:
        return len(self._hashes)

    def seen(self, left: str, right: str) -> bool:
        """Whether the two words are a pair of the list."""
        return self._place(left, right) is not None

    def gain(self, left: str, left_count: int, right: str, right_count: int) -> float:
        """How many nats likelier `right` stands after `left` than chance has it.

        Of a pair that is not in the list no more is known than that it is rare: two common words count as unlikely, the
        less the rarer they are.
        """
        place = self._place(left, right)
        if place is not None:
            return self._gains[place] / _STEPS
        chance = log(max(1, left_count)) + log(max(1, right_count)) - log(_THOUSAND_MILLION)
        return max(_WORST, min(0.0, log(_UNSEEN) - chance))

    def _place(self, left: str, right: str) -> int | None:
        hashes, wanted = self._hashes, _hash(left, right)
        place = bisect_left(hashes, wanted)
        return place if place < len(hashes) and hashes[place] == wanted else None


def _hash(left: str, right: str) -> int:
    return zlib.crc32(f"{left} {right}".encode())
