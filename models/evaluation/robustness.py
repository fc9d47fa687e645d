"""Robustness: which of the unsafe rows that are caught pass when they are written in another way."""

import random
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from sluicegate.models.data.rows import ModerationRow
from sluicegate.models.evaluation.intervals import Share, share_of
from sluicegate.models.evaluation.variations import DISGUISES, HABITS
from sluicegate.models.inference.judge import ModelResult
from sluicegate.models.inference.policy import Verdict

_SEED: Final = 23


class VariationPassed(msgspec.Struct, frozen=True):
    """`passed`: of the caught rows that the variation changes, those that are allowed when written so."""

    variation: str
    disguise: bool
    passed: Share


def measure_robustness(
    rows: Sequence[ModerationRow],
    verdicts: Sequence[str],
    judge: Callable[[Sequence[str]], Sequence[ModelResult]],
    most_rows: int,
) -> list[VariationPassed]:
    """Judge caught rows again in every variation. `verdicts` are those of `rows` as they are written.

    Of the rows labelled block that are caught, a random sample of `most_rows` is taken; the seed is fixed.
    """
    caught = [row.text for row, verdict in zip(rows, verdicts, strict=True) if _is_caught(row, verdict)]
    rng = random.Random(_SEED)  # noqa: S311 - a sample, not a secret
    sample = rng.sample(caught, min(most_rows, len(caught)))
    written = {
        name: [changed for text in sample if (changed := vary(text, rng)) != text]
        for name, vary in {**HABITS, **DISGUISES}.items()
    }
    results = iter(judge([text for texts in written.values() for text in texts]))
    return [
        VariationPassed(
            name,
            name in DISGUISES,
            share_of(sum(next(results).policy_result.verdict is Verdict.ALLOW for _ in texts), len(texts)),
        )
        for name, texts in written.items()
    ]


def _is_caught(row: ModerationRow, verdict: str) -> bool:
    return row.label == "block" and verdict != Verdict.ALLOW
