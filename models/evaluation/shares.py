"""A share of rows with its confidence interval."""

from math import sqrt
from typing import Final

import msgspec

_Z: Final = 1.959964
"""Standard deviations of a 95 % interval."""


class Share(msgspec.Struct, frozen=True):
    """`count` of `rows`, and the 95 % interval of the share by Wilson (1927), from 0 to 1."""

    count: int
    rows: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """From 0 to 1; 0 for no rows."""
        return self.count / self.rows if self.rows else 0.0


def share_of(count: int, rows: int) -> Share:
    """The share of `count` in `rows`. Of no rows, anything is possible."""
    if not rows:
        return Share(0, 0, 0.0, 1.0)
    share, square = count / rows, _Z * _Z
    centre = (share + square / (2 * rows)) / (1 + square / rows)
    half = _Z * sqrt(share * (1 - share) / rows + square / (4 * rows * rows)) / (1 + square / rows)
    return Share(count, rows, max(0.0, centre - half), min(1.0, centre + half))
