"""The header ``Retry-After``: seconds, or a date (RFC 9110, 10.2.3)."""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_S: Final = 3600.0
"""Longer ones count as this."""


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds from `now`, at least 0 and at most LONGEST_S; None without the header, or if it cannot be read."""
    if value is None:
        return None
    text = value.strip()
    try:
        if text.isascii() and text.isdigit():
            return min(float(text), LONGEST_S)
        date = parsedate_to_datetime(text)
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(0.0, math.ceil(seconds.total_seconds())), LONGEST_S)
