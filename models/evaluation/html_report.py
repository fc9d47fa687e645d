"""The report as one HTML page that loads nothing and runs nothing: tables, plots, and the rows that were wrong.

Sources, texts and file names come from files of other people. All of them are escaped, and none becomes a link.
"""

from collections import defaultdict
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from sluicegate.models.evaluation.moderation import ModerationScores, WrongRow, worst_mistakes
from sluicegate.models.evaluation.plots import Point, plot
from sluicegate.models.evaluation.report import Report, tables
from sluicegate.models.evaluation.report_table import ReportTable

_COLOURS: Final = ("#0b7285", "#e8590c", "#5f3dc4", "#2b8a3e")
_STYLE: Final = """
body { font-family: sans-serif; margin: 2em; }
table { border-collapse: collapse; margin: 1em 0; }
caption { text-align: left; font-weight: bold; padding: .3em 0; }
th, td { border: 1px solid #ced4da; padding: .25em .6em; text-align: right; }
th:first-child, td:first-child { text-align: left; }
figure { display: inline-block; margin: .5em; }
svg text { font-size: 12px; } svg .tick { font-size: 10px; }
"""


def write_html(report: Report, path: Path) -> None:
    """Write the report as one page."""
    title = escape(f"Sluicegate, {report.part}: {report.file}, {report.rows} rows")
    parts = [_table(table) for table in tables(report)]
    for place, (name, scores) in enumerate(report.systems.items()):
        if isinstance(scores, ModerationScores):
            parts += [_plots(name, scores, _COLOURS[place % len(_COLOURS)]), _wrong_rows(name, scores.wrong)]
    path.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>{''.join(parts)}</body></html>\n",
        encoding="utf-8",
    )


def _table(table: ReportTable) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in ("", *table.columns))
    rows = "".join(
        f"<tr><td>{escape(heading)}</td>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for heading, cells in table.rows
    )
    return f"<table><caption>{escape(table.title)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _plots(name: str, scores: ModerationScores, colour: str) -> str:
    curve = scores.trade_offs
    reviewed = [
        Point(each.escalated, each.caught, f"review from {each.threshold:.2f}: {each.caught:.1%} caught")
        for each in curve
    ]
    blocked = [
        Point(each.over_blocked, each.blocked, f"block from {each.threshold:.2f}: {each.blocked:.1%} blocked")
        for each in curve
    ]
    reliability = [
        Point(each.confidence, each.accuracy, f"{each.rows} rows: {each.confidence:.3f}, {each.accuracy:.3f}")
        for each in scores.calibration.bins
    ]
    figures = [
        plot(
            "Caught against escalated, by the threshold of review",
            reviewed,
            x_label="sent to review, of the rows to allow or block",
            y_label="caught, of the rows to block",
            colour=colour,
        ),
        plot(
            "Blocked against over-blocked, by the threshold of blocking",
            blocked,
            x_label="blocked, of the safe rows",
            y_label="blocked, of the rows to block",
            x_most=max(0.01, *(each.over_blocked for each in curve)),
            colour=colour,
        ),
        plot(
            "Reliability: on the diagonal, a probability means what it says",
            reliability,
            x_label="confidence",
            y_label="accuracy",
            colour=colour,
            line=False,
            diagonal=True,
        ),
    ]
    return f"<h2>{escape(name)}</h2>{''.join(figures)}"


def _wrong_rows(name: str, wrong: Sequence[WrongRow]) -> str:
    by_source: dict[str, list[WrongRow]] = defaultdict(list)
    for row in wrong:
        by_source[row.source or "no source"].append(row)
    with_texts = any(row.text is not None for row in wrong)
    columns = ("label", "category", "verdict", "reason", "probability", *(["text"] if with_texts else []))
    found = [
        ReportTable(
            f"{name} got wrong, source {source}: {len(rows)} rows",
            columns,
            [
                (f"{row.file} row {row.row}".strip(), _cells(row, with_texts=with_texts))
                for row in worst_mistakes(rows, len(rows))
            ],
        )
        for source, rows in sorted(by_source.items())
    ]
    return "".join(map(_table, found))


def _cells(row: WrongRow, *, with_texts: bool) -> list[str]:
    cells = [row.label, row.category, row.verdict, row.reason or "", f"{row.probability:.3f}"]
    return [*cells, row.text or ""] if with_texts else cells
