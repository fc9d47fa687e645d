"""Shares with their 95 % intervals.

Wilson, "Probable inference, the law of succession, and statistical inference" (1927): unlike the usual interval it
stays between 0 and 1 and is right for few rows and for shares near 0 and 1.
"""

import math
from typing import Final

import msgspec

_Z: Final = 1.959964


class Share(msgspec.Struct, frozen=True):
    """`count` of `rows`, and between which shares the truth lies with 95 % confidence."""

    count: int
    rows: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The share itself; 0 of no rows."""
        return self.count / self.rows if self.rows else 0.0

    def __str__(self) -> str:
        return f"{self.share:.1%} ({self.low:.1%}-{self.high:.1%})"


def share_of(count: int, rows: int) -> Share:
    """The share of `count` in `rows`. Of no rows nothing is known: the interval is 0 to 1."""
    if rows == 0:
        return Share(0, 0, 0.0, 1.0)
    share, weight = count / rows, _Z**2 / rows
    middle = (share + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * math.sqrt(share * (1 - share) / rows + weight / (4 * rows))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Share(count, rows, 0.0 if count == 0 else low, 1.0 if count == rows else high)
