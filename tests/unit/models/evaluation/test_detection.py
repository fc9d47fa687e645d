"""Detection and over-refusal by group, rankings of a category, and intervals that are right for few rows."""

import numpy as np
import pytest
from scipy.stats import binomtest

from sluicegate.models.data.rows import ModerationRow
from sluicegate.models.evaluation.detection import ALL_ROWS, detect, rank
from sluicegate.models.evaluation.intervals import share_of
from sluicegate.models.evaluation.moderation import WrongRow, worst_mistakes
from tests.support.probabilities import probabilities

ROWS = [
    ModerationRow("bomb", "block", "illicit", "forum", "en"),
    ModerationRow("bombe", "block", "illicit", "forum", "de"),
    ModerationRow("idiot", "review", "harassment", "forum", "en"),
    ModerationRow("hello", "allow", source="forum", lang="en"),
    ModerationRow("shoes", "allow", source="shop", lang="en"),
    ModerationRow("schuhe", "allow", source="shop", lang="de"),
]
VERDICTS = np.array(["block", "allow", "review", "review", "allow", "block"])


def test_what_is_caught_stands_beside_what_is_refused_in_every_source_and_language() -> None:
    groups = {group.group: group for group in detect(ROWS, VERDICTS)}
    assert list(groups) == [ALL_ROWS, "forum", "shop", "language de", "language en"]
    every = groups[ALL_ROWS]
    assert {name: (share.count, share.rows) for name, share in every.caught.items()} == {
        "harassment": (1, 1),
        "illicit": (1, 2),
    }
    assert (every.reviewed.count, every.reviewed.rows, every.blocked.count) == (1, 3, 1)
    assert groups["shop"].caught == {}
    assert (groups["shop"].blocked.share, groups["forum"].reviewed.share) == (0.5, 1)
    assert (groups["language de"].caught["illicit"].share, groups["language en"].caught["illicit"].share) == (0, 1)


def test_rows_of_one_language_are_not_grouped_by_it() -> None:
    assert [group.group for group in detect(ROWS[3:5], VERDICTS[3:5])] == [ALL_ROWS, "forum", "shop"]


def test_a_category_is_ranked_where_its_source_has_it_and_other_rows() -> None:
    said = probabilities({"illicit": 0.9}, {"illicit": 0.2}, {"illicit": 0.3, "harassment": 0.6}, {}, {}, {})
    found = {(each.source, each.category): each for each in rank(ROWS, said)}
    assert set(found) == {("forum", "illicit"), ("forum", "harassment")}
    illicit = found["forum", "illicit"]
    assert (illicit.positives, illicit.negatives) == (2, 2)
    assert illicit.auc == pytest.approx(3 / 4)
    assert illicit.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert found["forum", "harassment"].auc == 1


@pytest.mark.parametrize(("count", "rows"), [(0, 10), (1, 10), (10, 10), (37, 1000), (3, 3)])
def test_the_interval_is_wilsons(count: int, rows: int) -> None:
    share = share_of(count, rows)
    expected = binomtest(count, rows).proportion_ci(method="wilson")
    assert (share.low, share.high) == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert share.low <= share.share <= share.high


def test_of_no_rows_nothing_is_known() -> None:
    none = share_of(0, 0)
    assert (none.share, none.low, none.high) == (0, 0, 1)


def test_the_worst_mistakes_are_the_surest_that_no_reviewer_sees() -> None:
    def wrong(row: int, verdict: str, probability: float) -> WrongRow:
        return WrongRow(row, "", "allow", "none", verdict, None, probability)

    rows = [wrong(1, "review", 0.99), wrong(2, "block", 0.7), wrong(3, "allow", 0.9), wrong(4, "review", 0.3)]
    assert [row.row for row in worst_mistakes(rows, 3)] == [3, 2, 1]
