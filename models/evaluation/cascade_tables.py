"""The tables of `sluice eval cascade`: each model alone and both, side by side, and what a wider screen would do."""

from collections.abc import Mapping, Sequence

from sluicegate.models.evaluation.cascade import CascadeOutcome, CascadeScores
from sluicegate.models.evaluation.report_table import ReportTable, detection_rows, percent, shares, threshold_text


def cascade_tables(scores: CascadeScores) -> list[ReportTable]:
    """All tables of one report."""
    found = list(scores.outcomes.values())
    policies = (scores.now, scores.chosen)
    return [
        ReportTable("Each model alone, and both", list(scores.outcomes), _summary(scores.outcomes)),
        ReportTable(
            "Detection and over-refusal, with 95 % intervals",
            list(scores.outcomes),
            [row for groups in zip(*(each.detection for each in found), strict=True) for row in detection_rows(groups)],
        ),
        ReportTable(
            "What goes on to the second model",
            ("rows",),
            [
                *((f"because: {why}", [str(count)]) for why, count in scores.outcomes["both"].asked_for.items()),
                *((f"screen → second: {change}", [str(count)]) for change, count in scores.agreement.items()),
            ],
        ),
        ReportTable(
            "The second model's thresholds for what the screen sends to review: review / block",
            ("in force", "that these rows choose"),
            [
                *(
                    (category, [threshold_text(scores.now.thresholds[category]), threshold_text(limit)])
                    for category, limit in scores.chosen.thresholds.items()
                ),
                ("bound on the sum", [f"{each.sum_bound:.2f}" for each in policies]),
                (
                    "plain sets within their limits",
                    ["yes" if each.within_limits else "no" for each in policies],
                ),
            ],
        ),
        ReportTable(
            "A wider screen: its thresholds of review, multiplied",
            ("goes on", "of plain rows", "caught", "safe to review", "safe blocked", "queries/s"),
            [(f"× {each.factor:g}", _width(each.outcome)) for each in scores.widths],
        ),
    ]


def _summary(outcomes: Mapping[str, CascadeOutcome]) -> list[tuple[str, Sequence[str]]]:
    found = list(outcomes.values())
    return [
        (f"caught of what should be blocked ({found[0].caught.rows} rows)", [str(each.caught) for each in found]),
        ("to people or a heavier model, of all rows", [str(each.reviewed) for each in found]),
        (f"safe to review ({found[0].safe_reviewed.rows} rows)", [str(each.safe_reviewed) for each in found]),
        ("safe blocked", [str(each.safe_blocked) for each in found]),
        *(
            (
                f"plain: {name} ({plain.rows} rows), review / blocked",
                [shares(each.plain[name].review, each.plain[name].blocked) for each in found],
            )
            for name, plain in found[0].plain.items()
        ),
        ("goes on to the second model, of all rows", [str(each.asked) for each in found]),
        ("goes on, of plain rows", [str(each.asked_plain) for each in found]),
        ("queries/s to expect of plain rows", [_rate(each) for each in found]),
    ]


def _width(outcome: CascadeOutcome) -> list[str]:
    return [
        percent(outcome.asked.share),
        percent(outcome.asked_plain.share),
        percent(outcome.caught.share),
        percent(outcome.safe_reviewed.share),
        percent(outcome.safe_blocked.share),
        _rate(outcome),
    ]


def _rate(outcome: CascadeOutcome) -> str:
    return "needs profiles" if outcome.rate is None else f"{outcome.rate:.0f}"
