"""The scores of several systems side by side: tables for a terminal, one HTML file with plots, JSON for machines."""

import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Column, Table

from sluicegate.models.evaluation.calibration import Bin
from sluicegate.models.evaluation.intent import IntentScores
from sluicegate.models.evaluation.moderation import ModerationScores
from sluicegate.models.evaluation.rewrite import RewriteScores
from sluicegate.models.evaluation.shadow import ShadowScores
from sluicegate.models.evaluation.thresholds import CATCH, ESCALATE

_PLOT: Final = 260
_COLOURS: Final = ("#0b7285", "#e8590c", "#5f3dc4", "#2b8a3e")


class Report(msgspec.Struct, frozen=True):
    """What was measured: the file, how many rows, and each system's scores by its name."""

    part: str
    file: str
    rows: int
    systems: dict[str, ModerationScores] | dict[str, IntentScores] | dict[str, RewriteScores] | dict[str, ShadowScores]


def write_json(report: Report, path: Path) -> None:
    """Write everything measured, unrounded."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def write_html(report: Report, path: Path) -> None:
    """Write the tables and plots as one page that loads nothing."""
    console = Console(record=True, width=110, file=io.StringIO())
    for table in tables(report):
        console.print(table)
    text = console.export_html(inline_styles=True, code_format='<pre style="font-family:monospace">{code}</pre>')
    plots = "".join(
        _reliability_plot(name, scores.calibration.bins, _COLOURS[place % len(_COLOURS)])
        for place, (name, scores) in enumerate(report.systems.items())
        if isinstance(scores, ModerationScores)
    )
    title = f"Sluicegate, {report.part}: {escape(report.file)}, {report.rows} rows"
    path.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
        f'<body style="font-family:sans-serif;margin:2em"><h1>{title}</h1>{text}{plots}</body></html>\n',
        encoding="utf-8",
    )


def tables(report: Report) -> list[Table]:
    """The report as tables, one column a system."""
    systems: Mapping[str, Any] = report.systems
    if report.part == "moderation":
        return _moderation_tables(systems)
    if report.part == "shadow":
        return [_shadow_table(systems)]
    return [_intent_table(systems)] if report.part == "intent" else [_rewrite_table(systems)]


def _side_by_side(title: str, names: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> Table:
    table = Table(
        Column("", overflow="fold"),
        *(Column(name, justify="right") for name in names),
        title=title,
        title_justify="left",
    )
    for heading, cells in rows:
        table.add_row(heading, *cells)
    return table


def _moderation_tables(systems: Mapping[str, ModerationScores]) -> list[Table]:
    scores = list(systems.values())
    categories = list(scores[0].categories)
    calibrations = [each.calibration for each in scores]
    choices = [each.thresholds for each in scores]
    summary = _side_by_side(
        "Unsafe or safe",
        list(systems),
        [
            ("AUPRC", [f"{each.unsafe.auprc:.3f}" for each in scores]),
            ("F1, best threshold", [f"{each.unsafe.best_f1:.3f}" for each in scores]),
            ("F1, as served", [f"{each.unsafe.f1:.3f}" for each in scores]),
            ("precision, as served", [_percent(each.unsafe.precision) for each in scores]),
            ("recall, as served", [_percent(each.unsafe.recall) for each in scores]),
            ("caught of what should be blocked", [_percent(each.caught) for each in scores]),
            ("escalated to review", [_percent(each.escalated) for each in scores]),
            ("safe rows blocked", [_percent(each.over_blocked) for each in scores]),
            ("calibration error (ECE)", [f"{each.ece:.3f}" for each in calibrations]),
            ("fitted temperature", [f"{each.temperature:.2f}" for each in calibrations]),
            ("ECE with it", [f"{each.ece_fitted:.3f}" for each in calibrations]),
        ],
    )
    by_category = _side_by_side(
        "Categories: AUPRC / F1, as served",
        list(systems),
        [
            (
                f"{category} ({scores[0].categories[category].rows} rows)",
                [f"{each.categories[category].auprc:.3f} / {each.categories[category].f1:.3f}" for each in scores],
            )
            for category in categories
        ],
    )
    chosen = _side_by_side(
        f"Thresholds chosen, with that temperature (catch {CATCH:.0%}, escalate {ESCALATE:.0%}): review / block",
        list(systems),
        [
            *(
                (category, [_threshold(each.thresholds[category]) for each in choices])
                for category in choices[0].thresholds
            ),
            ("caught / escalated", [f"{_percent(each.caught)} / {_percent(each.escalated)}" for each in choices]),
            ("safe rows to review", [_percent(each.escalated_safe) for each in choices]),
            ("safe rows blocked", [_percent(each.over_blocked) for each in choices]),
            ("meets the targets", ["yes" if each.meets_targets else "no" for each in choices]),
        ],
    )
    outcomes = _side_by_side(
        "Outcomes: allowed / review / blocked",
        list(systems),
        [
            (
                f"{row.label}, {row.category}, {row.source or 'no source'} ({row.rows} rows)",
                [
                    " / ".join(map(_percent, (found.allowed, found.review, found.blocked)))
                    for found in (each.outcomes[place] for each in scores)
                ],
            )
            for place, row in enumerate(scores[0].outcomes)
        ],
    )
    return [summary, by_category, outcomes, chosen]


def _intent_table(systems: Mapping[str, IntentScores]) -> Table:
    scores = list(systems.values())
    return _side_by_side(
        "Intent: accuracy",
        list(systems),
        [
            *(
                (f"{domain} ({rows} rows)", [_percent(each.domains[domain]) for each in scores])
                for domain, rows in scores[0].domain_rows.items()
            ),
            ("mean over domains", [_percent(each.mean_over_domains) for each in scores]),
            ("all rows", [_percent(each.accuracy) for each in scores]),
        ],
    )


def _rewrite_table(systems: Mapping[str, RewriteScores]) -> Table:
    scores = list(systems.values())
    return _side_by_side(
        f"Rewrite: {scores[0].pairs} pairs",
        list(systems),
        [
            ("misspelt, restored exactly", [_percent(each.restored) for each in scores]),
            ("misspelt, made worse", [_percent(each.worsened) for each in scores]),
            ("clean, spoilt", [_percent(each.spoilt) for each in scores]),
            ("character error rate before", [_percent(each.character_error_rate_before) for each in scores]),
            ("character error rate after", [_percent(each.character_error_rate) for each in scores]),
            ("recall@10, misspelt", [_percent(each.corrupted.recall_at_10) for each in scores]),
            ("recall@10, rewritten", [_percent(each.rewritten.recall_at_10) for each in scores]),
            ("recall@10, clean", [_percent(each.clean.recall_at_10) for each in scores]),
            ("nDCG@10, misspelt", [f"{each.corrupted.ndcg_at_10:.3f}" for each in scores]),
            ("nDCG@10, rewritten", [f"{each.rewritten.ndcg_at_10:.3f}" for each in scores]),
            ("nDCG@10, clean", [f"{each.clean.ndcg_at_10:.3f}" for each in scores]),
            (
                "lost recall won back",
                ["none was lost" if each.recovered is None else _percent(each.recovered) for each in scores],
            ),
        ],
    )


def _shadow_table(systems: Mapping[str, ShadowScores]) -> Table:
    scores = list(systems.values())
    agreements = [each.agreement for each in scores]
    changes = sorted({change for each in agreements if each for change in each.changes})
    return _side_by_side(
        "The model in use, and its shadow",
        list(systems),
        [
            ("events that both decided", [str(each.events) for each in scores]),
            ("allowed", [_percent(each.allowed) for each in scores]),
            ("sent to review", [_percent(each.review) for each in scores]),
            ("blocked", [_percent(each.blocked) for each in scores]),
            ("engine, p50 ms", [f"{each.model_ms_p50:.1f}" for each in scores]),
            ("engine, p95 ms", [f"{each.model_ms_p95:.1f}" for each in scores]),
            ("tokens written per event", [f"{each.output_tokens:.1f}" for each in scores]),
            ("same verdict", [_percent(each.verdicts) if each else "" for each in agreements]),
            ("same intent", [_percent(each.intents) if each else "" for each in agreements]),
            ("same answer", [_percent(each.answers) if each else "" for each in agreements]),
            *(
                (change, [str(each.changes.get(change, 0)) if each else "" for each in agreements])
                for change in changes
            ),
        ],
    )


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _threshold(threshold: Any) -> str:
    return f"{threshold.allow:.2f} / " + (f"{threshold.block:.2f}" if threshold.block <= 1 else "never")


def _reliability_plot(name: str, bins: Sequence[Bin], colour: str) -> str:
    """Accuracy over confidence as an inline SVG; on the diagonal a probability means what it says."""
    dots = "".join(
        f'<circle cx="{each.confidence * _PLOT:.1f}" cy="{(1 - each.accuracy) * _PLOT:.1f}" r="5" fill="{colour}">'
        f"<title>{each.rows} rows: confidence {each.confidence:.3f}, accuracy {each.accuracy:.3f}</title></circle>"
        for each in bins
    )
    return (
        f'<figure style="display:inline-block;margin:1em"><svg width="{_PLOT + 20}" height="{_PLOT + 20}" '
        f'viewBox="-10 -10 {_PLOT + 20} {_PLOT + 20}" role="img"><rect width="{_PLOT}" height="{_PLOT}" fill="none" '
        f'stroke="#868e96"/><line x1="0" y1="{_PLOT}" x2="{_PLOT}" y2="0" stroke="#868e96" stroke-dasharray="4"/>{dots}'
        f"</svg><figcaption>Reliability: {escape(name)}<br>confidence →, accuracy ↑</figcaption></figure>"
    )
