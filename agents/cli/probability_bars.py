"""Probabilities as bars, each with its two thresholds.

illicit           ███▏│███████████████┃█████████████▉   0.975     0.06   0.50
"""

from collections.abc import Mapping
from typing import Final

from rich.text import Text

from sluicegate.agents.explanation import NEVER_BLOCKS, as_limit
from sluicegate.schemas.events import Threshold

_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_LABEL: Final = 17
_NUMBERS_FROM: Final = 60
"""Columns from which on the thresholds are also written as numbers."""
_NARROWEST_BAR: Final = 8


def bars(
    probabilities: Mapping[str, float], thresholds: Mapping[str, Threshold], width: int, *, ascii_only: bool = False
) -> Text:
    """One line per label, `allow` first, then the most probable, and a line that says what the marks mean."""
    numbers = width >= _NUMBERS_FROM
    bar_width = max(_NARROWEST_BAR, width - _LABEL - len("  0.000") - (len("   review   block") if numbers else 0))
    review, block = ("|", "!") if ascii_only else ("│", "┃")
    head = f"{review} reviewed from  {block} blocked from"
    lines = [Text(f"{head:<{_LABEL + bar_width + 7}}   review   block" if numbers else head, style="dim")]
    order = sorted(probabilities, key=lambda label: (label != "allow", -probabilities[label]))
    for label in order:
        probability, threshold = probabilities[label], thresholds.get(label)
        style = _style(probability, threshold)
        line = Text(f"{label[: _LABEL - 1]:<{_LABEL}}")
        line.append_text(_bar(probability, threshold, bar_width, style, ascii_only=ascii_only))
        line.append(f"  {probability:.3f}", style=style)
        if numbers and threshold:
            blocked = "never" if threshold.block > NEVER_BLOCKS else as_limit(threshold.block)
            line.append(f"   {as_limit(threshold.allow):>6}   {blocked:>5}", style="dim")
        lines.append(line)
    return Text("\n").join(lines)


def _style(probability: float, threshold: Threshold | None) -> str:
    if threshold is None or probability < threshold.allow:
        return "green" if threshold is None else ""
    return "red" if probability >= threshold.block else "yellow"


def _bar(probability: float, threshold: Threshold | None, bar_width: int, style: str, *, ascii_only: bool) -> Text:
    eighths = round(min(1.0, max(0.0, probability)) * bar_width * 8)
    full, rest = divmod(eighths, 8)
    cells = list("#" * full if ascii_only else _EIGHTHS[8] * full + (_EIGHTHS[rest] if rest else ""))
    cells += " " * (bar_width - len(cells))
    bar = Text("".join(cells), style=style)
    if threshold is None:
        return bar
    marks = [(threshold.allow, "|" if ascii_only else "│")]
    if threshold.block <= NEVER_BLOCKS:
        marks.append((threshold.block, "!" if ascii_only else "┃"))
    for at, mark in marks:
        place = min(bar_width - 1, int(at * bar_width))
        bar = Text.assemble(bar[:place], (mark, "bold"), bar[place + 1 :])
    return bar
