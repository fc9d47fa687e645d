"""Draw latency against load, as SVG."""

from collections.abc import Mapping, Sequence
from typing import Final

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 300, 56, 40
_COLOURS: Final = {"p50": "#2a6f97", "p95": "#c77d1e", "p99": "#b23a48"}


def draw_latency(rows: Sequence[Mapping[str, float]]) -> str:
    """A line for each percentile, milliseconds over events a second."""
    widest = max(row["rate"] for row in rows)
    highest = max(row["p99"] for row in rows) * 1.1

    def at(rate: float, value: float) -> str:
        x = _LEFT + (_WIDTH - _LEFT - 60) * rate / widest
        y = _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - 24) * value / highest
        return f"{x:.1f},{y:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 8}" text-anchor="middle">events a second</text>',
        f'<text x="{_LEFT}" y="14">milliseconds, Kafka to Kafka</text>',
    ]
    for row in rows:
        x, y = at(row["rate"], 0).split(",")
        parts.append(f'<text x="{x}" y="{float(y) + 16:.1f}" text-anchor="middle">{row["rate"]:g}</text>')
    for share in (0, 0.25, 0.5, 0.75, 1):
        _, y = at(0, share * highest).split(",")
        parts.append(f'<path d="M{_LEFT},{y}H{_WIDTH - 60}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{float(y) + 4:.1f}" text-anchor="end">{share * highest:.0f}</text>')
    for name, colour in _COLOURS.items():
        points = [at(row["rate"], row[name]) for row in rows]
        x, y = points[-1].split(",")
        parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{float(x) + 8:.1f}" y="{float(y) + 4:.1f}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])
