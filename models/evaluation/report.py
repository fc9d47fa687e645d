"""The scores of several systems side by side, as tables and as JSON. `html_report` makes a page of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from sluicegate.models.evaluation.cascade import CascadeScores
from sluicegate.models.evaluation.cascade_tables import cascade_tables
from sluicegate.models.evaluation.detection import Ranking
from sluicegate.models.evaluation.expansions import ExpansionScores
from sluicegate.models.evaluation.intent import IntentScores
from sluicegate.models.evaluation.moderation import ModerationScores, WrongRow, worst_mistakes
from sluicegate.models.evaluation.policy_outcome import PolicyOutcome
from sluicegate.models.evaluation.report_table import (
    ReportTable,
    detection_rows,
    interval,
    percent,
    shares,
    threshold_text,
)
from sluicegate.models.evaluation.rewrite import RewriteScores
from sluicegate.models.evaluation.shadow import ShadowScores

WORST_MISTAKES: Final = 20


class Report(msgspec.Struct, frozen=True):
    """What was measured: the file, how many rows, and each system's scores by its name."""

    part: str
    file: str
    rows: int
    systems: (
        dict[str, ModerationScores]
        | dict[str, IntentScores]
        | dict[str, RewriteScores]
        | dict[str, ExpansionScores]
        | dict[str, ShadowScores]
        | dict[str, CascadeScores]
    )


def write_json(report: Report, path: Path) -> None:
    """Write everything measured, unrounded."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def tables(report: Report) -> list[ReportTable]:
    """The report as tables, with one column per system."""
    systems: Mapping[str, Any] = report.systems
    if report.part == "moderation":
        return _moderation_tables(systems)
    if report.part == "shadow":
        return [_shadow_table(systems)]
    if report.part == "cascade":
        return [table for scores in systems.values() for table in cascade_tables(scores)]
    if report.part == "expansions":
        return [_expansion_table(systems)]
    return [_intent_table(systems)] if report.part == "intent" else [_rewrite_table(systems), _harm_table(systems)]


def _moderation_tables(systems: Mapping[str, ModerationScores]) -> list[ReportTable]:
    scores = list(systems.values())
    calibrations = [each.calibration for each in scores]
    choices = [each.thresholds for each in scores]
    summary = ReportTable(
        "Unsafe or safe",
        list(systems),
        [
            ("AUPRC", [_if_any(each.unsafe.rows, f"{each.unsafe.auprc:.3f}") for each in scores]),
            ("F1, best threshold", [_if_any(each.unsafe.rows, f"{each.unsafe.best_f1:.3f}") for each in scores]),
            ("F1, as served", [_if_any(each.unsafe.rows, f"{each.unsafe.f1:.3f}") for each in scores]),
            ("precision, as served", [_if_any(each.unsafe.rows, percent(each.unsafe.precision)) for each in scores]),
            ("recall, as served", [_if_any(each.unsafe.rows, percent(each.unsafe.recall)) for each in scores]),
            ("caught of what should be blocked", [_if_any(each.unsafe.rows, percent(each.caught)) for each in scores]),
            ("escalated to review", [percent(each.escalated) for each in scores]),
            ("safe rows blocked", [percent(each.over_blocked) for each in scores]),
            ("calibration error (ECE)", [f"{each.ece:.3f}" for each in calibrations]),
            ("fitted temperature", [f"{each.temperature:.2f}" for each in calibrations]),
            ("ECE with it", [f"{each.ece_fitted:.3f}" for each in calibrations]),
        ],
    )
    by_category = ReportTable(
        "Categories: AUPRC / F1, as served",
        list(systems),
        [
            (
                f"{category} ({scores[0].categories[category].rows} rows)",
                [f"{each.categories[category].auprc:.3f} / {each.categories[category].f1:.3f}" for each in scores],
            )
            for category in scores[0].categories
        ],
    )
    detection = ReportTable(
        "Detection and over-refusal, with 95 % intervals",
        list(systems),
        [row for groups in zip(*(each.detection for each in scores), strict=True) for row in detection_rows(groups)],
    )
    rankings = ReportTable(
        "A category against the other rows of its source: AUC / average precision",
        list(systems),
        [
            (_ranking_name(found[0]), [f"{each.auc:.3f} / {each.average_precision:.3f}" for each in found])
            for found in zip(*(each.rankings for each in scores), strict=True)
        ],
    )
    chosen = ReportTable(
        "Thresholds that these rows choose, with that temperature: review / block",
        list(systems),
        [
            *(
                (category, [threshold_text(each.thresholds[category]) for each in choices])
                for category in choices[0].thresholds
            ),
            ("bound on the sum", [f"{each.sum_bound:.2f}" for each in choices]),
            *_policy_rows(choices),
        ],
    )
    in_force = ReportTable("Thresholds in force", list(systems), _policy_rows([each.served for each in scores]))
    worst = [_worst_table(name, each.wrong) for name, each in systems.items() if each.wrong]
    robustness = [_robustness_table(systems)] if scores[0].robustness else []
    return [summary, by_category, detection, rankings, *robustness, in_force, chosen, *worst]


def _if_any(rows: int, measured: str) -> str:
    """What was measured on `rows` unsafe rows; of none there is nothing to measure."""
    return measured if rows else "none"


def _ranking_name(ranking: Ranking) -> str:
    counts = f"{ranking.positives} rows, {ranking.negatives} others"
    return f"{ranking.source or 'no source'}: {ranking.category} ({counts})"


def _robustness_table(systems: Mapping[str, ModerationScores]) -> ReportTable:
    measured = {name: each.robustness for name, each in systems.items() if each.robustness}
    return ReportTable(
        "Caught rows that pass when written in another way, with 95 % intervals",
        list(measured),
        [
            (
                f"{'disguise' if found[0].disguise else 'habit'}: {found[0].variation}",
                [str(each.passed) for each in found],
            )
            for found in zip(*measured.values(), strict=True)
        ],
    )


def _worst_table(name: str, wrong: Sequence[WrongRow]) -> ReportTable:
    return ReportTable(
        f"Worst mistakes of {name}, of {len(wrong)}",
        ("label", "category", "verdict", "reason", "probability"),
        [
            (
                f"{row.file} row {row.row}".strip(),
                [row.label, row.category, row.verdict, row.reason or "", f"{row.probability:.3f}"],
            )
            for row in worst_mistakes(wrong, WORST_MISTAKES)
        ],
    )


def _policy_rows(policies: Sequence[PolicyOutcome]) -> list[tuple[str, list[str]]]:
    return [
        ("caught of what should be blocked", [percent(each.caught) for each in policies]),
        *(
            (f"caught, {category}", [percent(each.caught_by_category[category]) for each in policies])
            for category in policies[0].caught_by_category
            if all(category in each.caught_by_category for each in policies)
        ),
        ("safe rows to review / blocked", [shares(each.escalated_safe, each.over_blocked) for each in policies]),
        *(
            (
                f"plain: {name} ({plain.rows} rows)",
                [shares(each.plain[name].review, each.plain[name].blocked) for each in policies],
            )
            for name, plain in policies[0].plain.items()
        ),
        ("plain sets within their limits", ["yes" if each.within_limits else "no" for each in policies]),
    ]


def _intent_table(systems: Mapping[str, IntentScores]) -> ReportTable:
    scores = list(systems.values())
    return ReportTable(
        "Intent: accuracy",
        list(systems),
        [
            *(
                (f"{domain} ({rows} rows)", [percent(each.domains[domain]) for each in scores])
                for domain, rows in scores[0].domain_rows.items()
            ),
            ("mean over domains", [percent(each.mean_over_domains) for each in scores]),
            ("all rows", [percent(each.accuracy) for each in scores]),
        ],
    )


def _rewrite_table(systems: Mapping[str, RewriteScores]) -> ReportTable:
    scores = list(systems.values())
    return ReportTable(
        f"Rewrite: {scores[0].pairs} pairs, with 95 % intervals",
        list(systems),
        [
            ("misspelt, restored exactly", [interval(each.interval_of(each.restored)) for each in scores]),
            ("misspelt, made worse", [interval(each.interval_of(each.worsened)) for each in scores]),
            ("clean, changed", [interval(each.interval_of(each.spoilt)) for each in scores]),
            ("restored for each one damaged", [_times(each.restored_for_each_damaged) for each in scores]),
            ("character error rate before", [percent(each.character_error_rate_before) for each in scores]),
            ("character error rate after", [percent(each.character_error_rate) for each in scores]),
            ("recall@10, misspelt", [percent(each.corrupted.recall_at_10) for each in scores]),
            ("recall@10, rewritten", [percent(each.rewritten.recall_at_10) for each in scores]),
            ("recall@10, clean", [percent(each.clean.recall_at_10) for each in scores]),
            ("nDCG@10, misspelt", [f"{each.corrupted.ndcg_at_10:.3f}" for each in scores]),
            ("nDCG@10, rewritten", [f"{each.rewritten.ndcg_at_10:.3f}" for each in scores]),
            ("nDCG@10, clean", [f"{each.clean.ndcg_at_10:.3f}" for each in scores]),
            (
                "lost recall recovered",
                ["none was lost" if each.recovered is None else percent(each.recovered) for each in scores],
            ),
        ],
    )


def _harm_table(systems: Mapping[str, RewriteScores]) -> ReportTable:
    scores = list(systems.values())
    return ReportTable(
        "Harm to correct queries: share and its 95 % interval",
        list(systems),
        [
            (
                f"{name} ({share.rows} rows)",
                [interval(system.harm[name]) for system in scores],
            )
            for name, share in scores[0].harm.items()
        ],
    )


def _expansion_table(systems: Mapping[str, ExpansionScores]) -> ReportTable:
    scores = list(systems.values())
    rows = []
    for kind, first in scores[0].kinds.items():
        found = [each.kinds[kind] for each in scores]
        rows += [
            (
                f"{kind}: offered, used ({first.rows} rows)",
                [f"{each.offered}, {each.precision.rows}" for each in found],
            ),
            (f"{kind}: precision of those used", [str(each.precision) for each in found]),
            (f"{kind}: rows with a right one used", [str(each.coverage) for each in found]),
            (f"{kind}: calibration error (ECE)", ["" if each.ece is None else f"{each.ece:.3f}" for each in found]),
            (
                f"{kind}: slope and offset that would calibrate it",
                ["" if each.fitted is None else "{:.3f}, {:.3f}".format(*each.fitted) for each in found],
            ),
        ]
    return ReportTable(
        f"Expansions, used from a probability of {scores[0].used_from}, with 95 % intervals", list(systems), rows
    )


def _times(times: float | None) -> str:
    return "none was damaged" if times is None else f"{times:.1f}"


def _shadow_table(systems: Mapping[str, ShadowScores]) -> ReportTable:
    scores = list(systems.values())
    agreements = [each.agreement for each in scores]
    changes = sorted({change for each in agreements if each for change in each.changes})
    categories = sorted({category for each in agreements if each for category in each.categories})
    return ReportTable(
        "The model in use, and its shadow",
        list(systems),
        [
            ("events that both decided", [str(each.events) for each in scores]),
            ("allowed", [percent(each.allowed) for each in scores]),
            ("sent to review", [percent(each.review) for each in scores]),
            ("blocked", [percent(each.blocked) for each in scores]),
            ("engine, p50 ms", [f"{each.model_ms_p50:.1f}" for each in scores]),
            ("engine, p95 ms", [f"{each.model_ms_p95:.1f}" for each in scores]),
            ("tokens written per event", [f"{each.output_tokens:.1f}" for each in scores]),
            ("same verdict", [percent(each.verdicts) if each else "" for each in agreements]),
            ("same intent", [percent(each.intents) if each else "" for each in agreements]),
            ("same answer", [percent(each.answers) if each else "" for each in agreements]),
            *(
                (change, [str(each.changes.get(change, 0)) if each else "" for each in agreements])
                for change in changes
            ),
            *(
                (f"changed: {category}", [str(each.categories.get(category, 0)) if each else "" for each in agreements])
                for category in categories
            ),
        ],
    )
