"""Moderation: how well a system tells unsafe from safe and category from category, and what its policy does then."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve

from sluicegate.models.data.rows import ModerationRow
from sluicegate.models.evaluation.calibration import Calibration, Floats, calibrate, tempered
from sluicegate.models.evaluation.detection import GroupDetection, Ranking, detect, rank
from sluicegate.models.evaluation.labelled_rows import LabelledRows
from sluicegate.models.evaluation.policy_outcome import (
    DEFAULT_LIMITS,
    PlainLimits,
    PolicyOutcome,
    TradeOff,
    outcome_of,
    trade_offs,
)
from sluicegate.models.evaluation.robustness import VariationPassed
from sluicegate.models.evaluation.thresholds import choose_thresholds
from sluicegate.models.inference.labels import ALLOW, LABELS
from sluicegate.models.inference.policy import Policy, Verdict


class Detection(msgspec.Struct, frozen=True):
    """One class against the rest: `auprc` and `best_f1` over all thresholds, the rest as the policy decides.

    A row counts as found when the policy did not allow it and, for a category, gave this one as the reason.
    """

    rows: int
    auprc: float
    best_f1: float
    precision: float
    recall: float
    f1: float


class Outcomes(msgspec.Struct, frozen=True):
    """What became of the rows of one source, label and category, in shares."""

    source: str
    label: str
    category: str
    rows: int
    allowed: float
    review: float
    blocked: float


class WrongRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row that the policy got wrong. `reason` and `probability` are those of the verdict.

    `row` counts the rows of `file` from 1. A row labelled block that goes to review is caught, so it is not wrong.
    """

    row: int
    source: str
    label: str
    category: str
    verdict: str
    reason: str | None
    probability: float
    text: str | None = None
    file: str = ""


def worst_mistakes(wrong: Sequence[WrongRow], most: int) -> list[WrongRow]:
    """The worst `most` of `wrong`: blocked or allowed before reviewed, then the surest first."""
    return sorted(wrong, key=lambda row: (row.verdict == Verdict.REVIEW, -row.probability))[:most]


class RowPlace(NamedTuple):
    """Where a row was read: the file, and the number of the row there, from 1."""

    file: str
    row: int


class ModerationScores(msgspec.Struct, frozen=True):
    """One system's scores, in shares.

    `over_blocked`: blocked, of the safe rows. `escalated`: sent to review, of all rows. `caught`: blocked or sent to
    review, of the rows that should be blocked. `served` is the outcome of the policy in force, `thresholds` that of the
    policy that the rows would choose, with the fitted temperature. `robustness` is empty unless it was measured.
    """

    unsafe: Detection
    categories: dict[str, Detection]
    over_blocked: float
    escalated: float
    caught: float
    calibration: Calibration
    served: PolicyOutcome
    thresholds: PolicyOutcome
    trade_offs: list[TradeOff]
    outcomes: list[Outcomes]
    detection: list[GroupDetection]
    rankings: list[Ranking]
    wrong: list[WrongRow]
    robustness: list[VariationPassed] = []


def score_moderation(
    rows: Sequence[ModerationRow],
    probabilities: Floats,
    policy: Policy,
    *,
    served_temperature: float = 1.0,
    plain_sources: Sequence[str] = (),
    limits: PlainLimits = DEFAULT_LIMITS,
    places: Sequence[RowPlace] | None = None,
    with_texts: bool = False,
) -> ModerationScores:
    """The scores of a system that gave `probabilities`, of shape (rows, LABELS), under `policy`.

    `plain_sources`: see `LabelledRows.of`. `limits`: what the thresholds that the rows choose must keep to. `places`:
    where each row was read, by default one file. `with_texts`: the wrong rows contain their texts.

    Raises:
        ContractError: no source with safe rows has one of the names in `plain_sources`.
    """
    known = LabelledRows.of(rows, plain_sources)
    truth = np.array([LABELS.index(row.gate_label) for row in rows])
    policy_results = [policy.judge(dict(zip(LABELS, row, strict=True))) for row in probabilities.tolist()]
    verdicts = np.array([policy_result.verdict.value for policy_result in policy_results])
    reasons = np.array([policy_result.category or ALLOW for policy_result in policy_results])
    places = places or [RowPlace("", number) for number in range(1, len(rows) + 1)]
    calibration = calibrate(probabilities, truth, served_temperature)
    fitted = tempered(probabilities, calibration.temperature / served_temperature)
    return ModerationScores(
        unsafe=_detection(truth != 0, 1 - probabilities[:, 0], verdicts != Verdict.ALLOW),
        categories={
            name: _detection(truth == place, probabilities[:, place], reasons == name)
            for place, name in enumerate(LABELS)
            if place and (truth == place).any()
        },
        over_blocked=_share(verdicts[known.labels == "allow"] == Verdict.BLOCK),
        escalated=_share(verdicts == Verdict.REVIEW),
        caught=_share(verdicts[known.labels == "block"] != Verdict.ALLOW),
        calibration=calibration,
        served=outcome_of(probabilities, known, policy, limits),
        thresholds=choose_thresholds(fitted, known, policy, limits),
        trade_offs=trade_offs(probabilities, known, policy),
        outcomes=_outcomes(rows, verdicts),
        detection=detect(rows, verdicts),
        rankings=rank(rows, probabilities),
        wrong=[
            WrongRow(
                file=place.file,
                row=place.row,
                source=row.source,
                label=row.label,
                category=row.category,
                verdict=result.verdict.value,
                reason=result.category,
                probability=result.probability,
                text=row.text if with_texts else None,
            )
            for place, row, result in zip(places, rows, policy_results, strict=True)
            if result.verdict != row.label and (row.label, result.verdict) != ("block", Verdict.REVIEW)
        ],
    )


def _detection(positive: NDArray[np.bool_], score: Floats, found: NDArray[np.bool_]) -> Detection:
    if not positive.any():
        return Detection(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    precisions, recalls, _ = precision_recall_curve(positive, score)
    hits = int((found & positive).sum())
    precision, recall = hits / max(1, int(found.sum())), hits / int(positive.sum())
    return Detection(
        rows=int(positive.sum()),
        auprc=float(average_precision_score(positive, score)),
        best_f1=max(_f1(float(p), float(r)) for p, r in zip(precisions, recalls, strict=True)),
        precision=precision,
        recall=recall,
        f1=_f1(precision, recall),
    )


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _share(which: NDArray[np.bool_]) -> float:
    return float(which.mean()) if which.size else 0.0


def _outcomes(rows: Sequence[ModerationRow], verdicts: NDArray[np.str_]) -> list[Outcomes]:
    counts: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for row, verdict in zip(rows, verdicts.tolist(), strict=True):
        counts[row.label, row.source, row.category][verdict] += 1
    return [
        Outcomes(
            source=source,
            label=label,
            category=category,
            rows=found.total(),
            allowed=found[Verdict.ALLOW] / found.total(),
            review=found[Verdict.REVIEW] / found.total(),
            blocked=found[Verdict.BLOCK] / found.total(),
        )
        for (label, source, category), found in sorted(counts.items())
    ]
