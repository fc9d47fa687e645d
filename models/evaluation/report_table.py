"""A table of a report, and how its cells write shares and thresholds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sluicegate.models.evaluation.detection import GroupDetection
from sluicegate.models.evaluation.intervals import Share
from sluicegate.schemas.events import Threshold


@dataclass(frozen=True)
class ReportTable:
    """A table: a heading and one cell per column in each row. Cells may contain text from the measured file."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


def shares(*shares: float) -> str:
    return " / ".join(map(percent, shares))


def percent(share: float) -> str:
    return f"{share:.1%}"


def threshold_text(threshold: Threshold) -> str:
    return f"{threshold.allow:.2f} / " + (f"{threshold.block:.2f}" if threshold.block <= 1 else "never")


def interval(share: Share) -> str:
    return f"{share.share:.2%} ({share.low:.2%} to {share.high:.2%})"


def detection_rows(groups: Sequence[GroupDetection]) -> Iterator[tuple[str, list[str]]]:
    """The rows of one group of rows; `groups` has it once for each system."""
    name, first = groups[0].group, groups[0]
    for category, found in first.caught.items():
        yield f"{name}: {category} caught ({found.rows} rows)", [str(each.caught[category]) for each in groups]
    if first.reviewed.rows:
        yield f"{name}: safe to review ({first.reviewed.rows} rows)", [str(each.reviewed) for each in groups]
        yield f"{name}: safe blocked", [str(each.blocked) for each in groups]
