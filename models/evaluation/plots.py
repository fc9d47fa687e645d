"""Plots as inline SVG, for a page that loads nothing."""

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

_SIDE: Final = 260
_MARGIN: Final = 48
_TICKS: Final = 5


class Point(NamedTuple):
    """A point of a plot, and what is shown when the pointer is over it."""

    x: float
    y: float
    note: str


def plot(
    title: str,
    points: Sequence[Point],
    *,
    x_label: str,
    y_label: str,
    x_most: float = 1.0,
    colour: str,
    line: bool = True,
    diagonal: bool = False,
) -> str:
    """A figure of `points`: shares from 0 to `x_most` to the right, and from 0 to 1 upwards."""
    places = [(point.x / x_most * _SIDE, (1 - point.y) * _SIDE, point.note) for point in points if point.x <= x_most]
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"><title>{escape(note)}</title></circle>'
        for x, y, note in places
    )
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
    curve = f'<polyline points="{path}" fill="none" stroke="{colour}"/>' if line else ""
    even = f'<line x1="0" y1="{_SIDE}" x2="{_SIDE}" y2="0" stroke="#868e96" stroke-dasharray="4"/>' if diagonal else ""
    ticks = "".join(_ticks(x_most))
    size = _SIDE + 2 * _MARGIN
    return (
        f'<figure><svg width="{size}" height="{size}" viewBox="{-_MARGIN} {-_MARGIN // 2} {size} {size}" role="img">'
        f'<rect width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#868e96"/>{ticks}{even}{curve}{dots}'
        f'<text x="{_SIDE / 2}" y="{_SIDE + 36}" text-anchor="middle">{escape(x_label)}</text>'
        f'<text transform="translate(-36 {_SIDE / 2}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>'
        f"</svg><figcaption>{escape(title)}</figcaption></figure>"
    )


def _ticks(x_most: float) -> list[str]:
    ticks = []
    for number in range(_TICKS + 1):
        share = number / _TICKS
        along = share * _SIDE
        ticks += [
            f'<line x1="{along}" y1="{_SIDE}" x2="{along}" y2="{_SIDE + 4}" stroke="#868e96"/>',
            f'<text class="tick" x="{along}" y="{_SIDE + 17}" text-anchor="middle">{share * x_most:.3g}</text>',
            f'<line x1="-4" y1="{_SIDE - along}" x2="0" y2="{_SIDE - along}" stroke="#868e96"/>',
            f'<text class="tick" x="-8" y="{_SIDE - along + 4}" text-anchor="end">{share:.1f}</text>',
        ]
    return ticks
