"""Expansions: whether the synonyms and facets that a model offers are right, and whether it knows how sure to be.

A row names what is right, so anything else that is offered counts as wrong: precision is a lower bound where the rows
are not complete.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from sluicegate.models.data.rows import ExpansionRow
from sluicegate.models.evaluation.calibration import (
    Bin,
    binary_reliability,
    expected_calibration_error,
    fit_platt,
)
from sluicegate.models.evaluation.intervals import Share, share_of
from sluicegate.models.inference.expansions import USED_FROM
from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import Expansion

SYNONYM: Final = "synonym"


class KindScores(msgspec.Struct, frozen=True):
    """How good the expansions of one kind are, over the rows that say what is right for it.

    `precision`: of those used, the right ones. `coverage`: of the rows that name something right, those in which a
    right one is used. `offered` counts the unused ones too; `ece` and `bins` are about all that are offered, and
    `ece` is None where none is. `fitted`: slope and offset that would calibrate what is served, None where all or none
    are right.
    """

    rows: int
    offered: int
    precision: Share
    coverage: Share
    ece: float | None
    bins: list[Bin]
    fitted: tuple[float, float] | None


class ExpansionScores(msgspec.Struct, frozen=True):
    """Scores by kind: synonym, and each sort of facet, such as category and colour. `used_from`: the threshold."""

    used_from: float
    kinds: dict[str, KindScores]


def expected_kinds(rows: Sequence[ExpansionRow]) -> list[str]:
    """The kinds that any of `rows` has something to say about.

    Raises:
        ContractError: no row names a synonym or a facet.
    """
    kinds = {_kind(text) for row in rows for text in row.facets or ()}
    if any(row.synonyms is not None for row in rows):
        kinds.add(SYNONYM)
    if not kinds:
        raise ContractError("no row has `synonyms` or `facets`: name what is right for each query")
    return sorted(kinds)


def score_expansions(rows: Sequence[ExpansionRow], offered: Sequence[Sequence[Expansion]]) -> ExpansionScores:
    """The scores of a system that `offered` expansions for each row; none, as for a blocked query, covers nothing."""
    return ExpansionScores(USED_FROM, {kind: _score(kind, rows, offered) for kind in expected_kinds(rows)})


def _score(kind: str, rows: Sequence[ExpansionRow], offered: Sequence[Sequence[Expansion]]) -> KindScores:
    probabilities: list[float] = []
    right: list[bool] = []
    counted = covered = answerable = 0
    for row, expansions in zip(rows, offered, strict=True):
        expected = row.synonyms if kind == SYNONYM else row.facets
        if expected is None:
            continue
        counted += 1
        true = {text.lower() for text in expected if kind == SYNONYM or _kind(text) == kind}
        found = [each for each in expansions if kind == (SYNONYM if each.kind == SYNONYM else _kind(each.text))]
        probabilities += [each.probability for each in found]
        right += [each.text.lower() in true for each in found]
        answerable += bool(true)
        covered += any(each.text.lower() in true and each.probability >= USED_FROM for each in found)
    used = [is_right for is_right, probability in zip(right, probabilities, strict=True) if probability >= USED_FROM]
    bins = binary_reliability(np.array(probabilities), np.array(right, bool)) if right else []
    return KindScores(
        rows=counted,
        offered=len(right),
        precision=share_of(sum(used), len(used)),
        coverage=share_of(covered, answerable),
        ece=expected_calibration_error(bins) if bins else None,
        bins=bins,
        fitted=fit_platt(np.array(probabilities), np.array(right, bool)),
    )


def _kind(facet: str) -> str:
    """``category`` of ``category:shoes``."""
    return facet.partition(":")[0]
