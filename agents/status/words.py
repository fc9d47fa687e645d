"""Numbers as people read them. A number and its unit stay in one line."""

from typing import Final

_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
NONE: Final = "—"


def count(number: float) -> str:
    """As in `12,345`."""
    return f"{number:,.0f}"


def decimal(number: float) -> str:
    """A rate or a mean, with a digit behind the point while it is small."""
    return f"{number:.1f}" if number < 100 else f"{number:,.0f}"


def percent(share: float | None) -> str:
    """A share from 0 to 1, as in `12.3 %`."""
    return NONE if share is None else f"{share:.1%}".replace("%", "\u00a0%")


def points(change: float) -> str:
    """A change of a share, in percentage points, as in `+1.5`."""
    return f"{100 * change:+.1f}".replace("-", "−")


def duration(seconds: float) -> str:
    """A short time, as in `2.5 ms` or `1.20 s`."""
    if seconds < 0.001:
        return f"{1e6 * seconds:.0f}\u00a0µs"
    if seconds < 1:
        return f"{1e3 * seconds:.1f}\u00a0ms" if seconds < 0.1 else f"{1e3 * seconds:.0f}\u00a0ms"
    return f"{seconds:.2f}\u00a0s"


def long_duration(seconds: float) -> str:
    """A long time in its two largest units, as in `2 hours 5 minutes`."""
    left, parts = int(seconds), list[str]()
    for size, unit in _UNITS:
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number} {unit}{'s' if number > 1 else ''}")
    return " ".join(parts[:2]) or "less than a second"
