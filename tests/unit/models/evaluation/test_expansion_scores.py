"""Precision, coverage and calibration of expansions equal what is counted by hand."""

import numpy as np
import pytest

from sluicegate.models.data.rows import ExpansionRow
from sluicegate.models.evaluation.calibration import fit_platt
from sluicegate.models.evaluation.expansions import score_expansions
from sluicegate.models.evaluation.report import Report, tables
from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import Expansion

ROWS = [
    ExpansionRow(query="red boots", synonyms=["Ankle Boots"], facets=["category:boots", "colour:red"]),
    ExpansionRow(text="olive oil", synonyms=[], facets=["category:groceries"]),
    ExpansionRow(query="sofa", facets=["category:sofas"]),
]
OFFERED = [
    [
        Expansion(kind="synonym", text="ankle boots", probability=0.9),
        Expansion(kind="facet", text="category:boots", probability=0.8),
        Expansion(kind="facet", text="colour:red", probability=0.4),
    ],
    [
        Expansion(kind="synonym", text="petroleum", probability=0.7),
        Expansion(kind="facet", text="category:cars", probability=0.6),
        Expansion(kind="facet", text="colour:olive", probability=0.6),
    ],
    [Expansion(kind="synonym", text="couch", probability=0.9)],
]


def test_each_kind_is_scored_over_the_rows_that_tell_about_it() -> None:
    kinds = score_expansions(ROWS, OFFERED).kinds
    assert list(kinds) == ["category", "colour", "synonym"]
    synonym, category, colour = kinds["synonym"], kinds["category"], kinds["colour"]
    assert (synonym.rows, synonym.offered) == (2, 2)  # the third row does not tell which synonyms are right
    assert (synonym.precision.count, synonym.precision.rows) == (1, 2)
    assert (synonym.coverage.count, synonym.coverage.rows) == (1, 1)
    assert (category.precision.count, category.precision.rows) == (1, 2)
    assert (category.coverage.count, category.coverage.rows) == (1, 3)
    assert (colour.precision.count, colour.precision.rows) == (0, 1)  # the right one is offered, but not used
    assert (colour.coverage.count, colour.coverage.rows) == (0, 1)
    assert synonym.ece == pytest.approx((0.1 + 0.7) / 2)


def test_what_offers_nothing_covers_nothing() -> None:
    kinds = score_expansions(ROWS, [[], [], []]).kinds
    assert {(each.offered, each.precision.rows, each.coverage.count, each.ece) for each in kinds.values()} == {
        (0, 0, 0, None)
    }


def test_rows_that_tell_nothing_are_refused() -> None:
    with pytest.raises(ContractError, match="`synonyms` or `facets`"):
        score_expansions([ExpansionRow(query="sofa")], [[]])


def test_the_table_has_every_kind_with_its_interval() -> None:
    [table] = tables(Report("expansions", "rows.jsonl", 3, {"ours": score_expansions(ROWS, OFFERED)}))
    cells = dict(table.rows)
    assert cells["category: precision of those used"] == ["50.0% (9.5%-90.5%)"]
    assert cells["category: offered, used (3 rows)"] == ["2, 2"]


def test_the_fitted_slope_and_offset_undo_what_was_done_to_honest_probabilities() -> None:
    rng = np.random.default_rng(3)
    honest = rng.uniform(0.02, 0.98, size=50_000)
    right = rng.uniform(size=honest.size) < honest
    logits = np.log(honest / (1 - honest))
    slope, offset = fit_platt(1 / (1 + np.exp(-(2 * logits + 1))), right) or (0.0, 0.0)
    assert slope == pytest.approx(0.5, abs=0.02)
    assert offset == pytest.approx(-0.5, abs=0.03)


def test_claims_that_are_all_right_tell_nothing_about_calibration() -> None:
    assert fit_platt(np.array([0.3, 0.9]), np.array([True, True])) is None
