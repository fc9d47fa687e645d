"""A screen and a second model on labelled rows: each alone, both as served, and both with thresholds that fit.

The rule is the worker's own, `models.inference.cascade`. The thresholds of the second model are chosen on the rows that
the screen would send to review: what the screen decides alone does not depend on them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sluicegate.models.data.rows import ModerationRow
from sluicegate.models.evaluation.calibration import Floats
from sluicegate.models.evaluation.detection import GroupDetection, detect
from sluicegate.models.evaluation.intervals import Share, share_of
from sluicegate.models.evaluation.labelled_rows import LabelledRows, Rows
from sluicegate.models.evaluation.policy_outcome import PlainLimits, PlainOutcome, PolicyOutcome, outcome_of
from sluicegate.models.evaluation.thresholds import choose_thresholds
from sluicegate.models.inference.cascade import AskedFor, CascadeRule
from sluicegate.models.inference.judge import ModelResult
from sluicegate.models.inference.labels import LABELS
from sluicegate.models.inference.policy import Policy, PolicyResult, Verdict
from sluicegate.models.inference.strictest import JudgedReading, is_allowed, strictest
from sluicegate.models.profile import cascade_rate

_WIDTHS: Final = (1.0, 0.7, 0.5, 0.35, 0.25)
_SURELY_ALLOWED: Final = np.array([1.0] + [0.0] * (len(LABELS) - 1))


class CascadeOutcome(msgspec.Struct, frozen=True):
    """What becomes of the rows under one way to decide.

    `caught` (blocked or sent to review) is a share of the rows labelled block; `safe_reviewed` and `safe_blocked` of
    those labelled allow; `asked` is the share of all rows that the second model is asked about, `asked_plain` that of
    the plain ones, and `asked_for` says why. `rate`: queries a second to expect of traffic like the plain rows; None
    without the profiles of both models.
    """

    caught: Share
    reviewed: Share
    safe_reviewed: Share
    safe_blocked: Share
    asked: Share
    asked_plain: Share
    asked_for: dict[str, int]
    rate: float | None
    plain: dict[str, PlainOutcome]
    detection: list[GroupDetection]


class ScreenWidth(msgspec.Struct, frozen=True):
    """Both models, if the screen's thresholds of review and its bound on the sum were `factor` times what they are."""

    factor: float
    outcome: CascadeOutcome


class CascadeScores(msgspec.Struct, frozen=True):
    """The outcomes by name, in the order of the module; `agreement` counts what the two made of the rows that go on.

    Its keys are "screen → second". `now` and `chosen` are the second model's thresholds in force and those that the
    rows choose, with what becomes of the rows that the screen does not block.
    """

    outcomes: dict[str, CascadeOutcome]
    agreement: dict[str, int]
    now: PolicyOutcome
    chosen: PolicyOutcome
    widths: list[ScreenWidth]


@dataclass(frozen=True)
class JudgedRows:
    """What one model made of every reading of every row, and its policy.

    `rate`: readings that it judges a second, alone on the machine to plan for; None if that is not known.
    """

    name: str
    rows: Sequence[Sequence[JudgedReading]]
    policy: Policy
    rate: float | None

    def under(self, policy: Policy) -> "JudgedRows":
        """The same, if `policy` were in force."""
        rows = [
            [
                replace(
                    reading, result=replace(reading.result, policy_result=policy.judge(reading.result.probabilities))
                )
                for reading in row
            ]
            for row in self.rows
        ]
        return replace(self, rows=rows, policy=policy)

    def about(self, screen: "JudgedRows") -> "JudgedRows":
        """The same, of the readings alone that `screen` does not allow: those that the second model is asked about."""
        rows = [
            [mine for mine, its in zip(row, screened, strict=True) if not is_allowed(its)] or row
            for row, screened in zip(self.rows, screen.rows, strict=True)
        ]
        return replace(self, rows=rows)

    @cached_property
    def deciding(self) -> list[ModelResult]:
        """Of each row the strictest reading's result."""
        return [strictest(row, self.policy).result for row in self.rows]

    @property
    def verdicts(self) -> list[PolicyResult]:
        """One verdict per row."""
        return [result.policy_result for result in self.deciding]

    @property
    def probabilities(self) -> Floats:
        """Of shape (rows, LABELS)."""
        return np.array([[result.probabilities[label] for label in LABELS] for result in self.deciding])

    def rate_of(self, rows: Rows) -> float | None:
        """Rows like `rows` that the model decides a second, alone."""
        readings = [len(row) for row, inside in zip(self.rows, rows, strict=True) if inside]
        return self.rate / float(np.mean(readings)) if self.rate and readings else None


def score_cascade(
    rows: Sequence[ModerationRow],
    screen: JudgedRows,
    second: JudgedRows,
    rule: CascadeRule,
    *,
    plain_sources: Sequence[str] = (),
    limits: PlainLimits,
) -> CascadeScores:
    """The scores of `screen` and `second` under `rule`. `plain_sources` and `limits` as in `score_moderation`.

    Raises:
        ContractError: no source with safe rows has one of the names in `plain_sources`.
    """
    known = LabelledRows.of(rows, plain_sources)
    scoring = _Scoring(rows, known, rule)
    opinions = second.about(screen)
    asked = scoring.asked_for(screen)
    now, chosen = _thresholds(known, opinions, screen.verdicts, asked, limits)
    fitted = second.under(replace(second.policy, thresholds=chosen.thresholds, sum_bound=chosen.sum_bound))
    wider = [(factor, screen.under(_widened(screen.policy, factor))) for factor in _WIDTHS]
    return CascadeScores(
        outcomes={
            f"screen alone: {screen.name}": scoring.alone(screen),
            f"second alone: {second.name}": scoring.alone(second),
            "both": scoring.cascade(screen, second),
            "both, with the thresholds below": scoring.cascade(screen, fitted),
        },
        agreement=dict(
            Counter(
                f"{first.verdict} → {then.verdict}"
                for first, then, why in zip(screen.verdicts, opinions.verdicts, asked, strict=True)
                if why
            ).most_common()
        ),
        now=now,
        chosen=chosen,
        widths=[ScreenWidth(factor, scoring.cascade(screened, fitted)) for factor, screened in wider],
    )


@dataclass(frozen=True)
class _Scoring:
    rows: Sequence[ModerationRow]
    known: LabelledRows
    rule: CascadeRule

    def asked_for(self, screen: JudgedRows) -> list[AskedFor | None]:
        """Why the second model is asked about each row."""
        return [
            self.rule.asked_for(verdict, readings)
            for verdict, readings in zip(screen.verdicts, screen.rows, strict=True)
        ]

    def alone(self, model: JudgedRows) -> CascadeOutcome:
        """The outcome of one model."""
        return self.outcome(model.verdicts, [None] * len(self.rows), model.rate_of(self._plain))

    def cascade(self, screen: JudgedRows, second: JudgedRows) -> CascadeOutcome:
        """The outcome of both."""
        asked, opinions = self.asked_for(screen), second.about(screen)
        decided = [
            self.rule.combine(why, first, then) if why else first
            for why, first, then in zip(asked, screen.verdicts, opinions.verdicts, strict=True)
        ]
        goes_on = self._plain & _asked(asked)
        rate, then_rate = screen.rate_of(self._plain), opinions.rate_of(goes_on)
        if rate and then_rate:
            rate = cascade_rate(rate, then_rate, float(goes_on.sum() / self._plain.sum()))
        return self.outcome(decided, asked, rate if second.rate else None)

    def outcome(
        self, decided: Sequence[PolicyResult], asked: Sequence[AskedFor | None], rate: float | None
    ) -> CascadeOutcome:
        """What becomes of the rows."""
        verdicts = np.array([each.verdict.value for each in decided])
        labels = self.known.labels
        blocked, reviewed = np.equal(verdicts, Verdict.BLOCK), np.equal(verdicts, Verdict.REVIEW)
        safe, everything = np.equal(labels, "allow"), np.ones(len(labels), bool)
        return CascadeOutcome(
            caught=_share(blocked | reviewed, np.equal(labels, "block")),
            reviewed=_share(reviewed, everything),
            safe_reviewed=_share(reviewed, safe),
            safe_blocked=_share(blocked, safe),
            asked=_share(_asked(asked), everything),
            asked_plain=_share(_asked(asked), self._plain),
            asked_for=dict(Counter(why.value for why in asked if why).most_common()),
            rate=rate,
            plain={
                name: PlainOutcome(int(inside.sum()), float(reviewed[inside].mean()), float(blocked[inside].mean()))
                for name, inside in self.known.plain.items()
            },
            detection=detect(self.rows, verdicts),
        )

    @cached_property
    def _plain(self) -> Rows:
        plain: Rows = np.any([*self.known.plain.values()], axis=0)
        return plain


def _thresholds(
    known: LabelledRows,
    second: JudgedRows,
    screen: Sequence[PolicyResult],
    asked: Sequence[AskedFor | None],
    limits: PlainLimits,
) -> tuple[PolicyOutcome, PolicyOutcome]:
    """What the second model's thresholds do, and those to choose, where the screen blocks no row.

    A row that does not go on is allowed, whatever the thresholds are.
    """
    left = np.array([verdict.verdict is not Verdict.BLOCK for verdict in screen])
    probabilities = np.where(_asked(asked)[:, None], second.probabilities, _SURELY_ALLOWED)[left]
    remaining = LabelledRows(
        known.labels[left], known.categories[left], known.sources[left], _inside(known.plain, left)
    )
    return (
        outcome_of(probabilities, remaining, second.policy, limits),
        choose_thresholds(probabilities, remaining, second.policy, limits),
    )


def _inside(sets: Mapping[str, Rows], left: Rows) -> dict[str, Rows]:
    return {name: inside[left] for name, inside in sets.items() if inside[left].any()}


def _judged_again(reading: JudgedReading, policy: Policy) -> JudgedReading:
    result = reading.result
    return replace(reading, result=replace(result, policy_result=policy.judge(result.probabilities)))


def _widened(policy: Policy, factor: float) -> Policy:
    thresholds = {
        category: msgspec.structs.replace(limit, allow=limit.allow * factor)
        for category, limit in policy.thresholds.items()
    }
    return replace(policy, thresholds=thresholds, sum_bound=policy.sum_bound * factor)


def _asked(asked: Sequence[AskedFor | None]) -> NDArray[np.bool_]:
    return np.array([why is not None for why in asked])


def _share(which: Rows, of: Rows) -> Share:
    return share_of(int(which[of].sum()), int(of.sum()))
