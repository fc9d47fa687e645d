"""Harm to correct queries is counted by group and by kind, with its interval."""

import pytest

from sluicegate.models.data.rows import QueryRow
from sluicegate.models.evaluation.harm import harmless_queries, score_harm
from sluicegate.models.evaluation.intervals import share_of


def test_queries_are_grouped_by_language_and_kind() -> None:
    rows = [
        QueryRow(query="Ozempic", kind="name"),
        QueryRow(query="hirse kaufen", lang="de", kind="web"),
        QueryRow(query="red shoes"),
        QueryRow(query="red shose", clean="red shoes", kind="query"),
        QueryRow(query="red shoes", kind="web"),
    ]
    assert harmless_queries(rows) == [
        ("ozempic", "name"),
        ("hirse kaufen", "other languages"),
        ("red shoes", "queries"),
    ]


def test_each_kind_of_harm_has_its_share() -> None:
    asked = ["unnecessary surgery", "tumor markers", "iphone 15", "jquery", "red shoes"]
    answers = ["necessary surgery", "tumour markers", "iphone 16", "query", "red shoes"]
    harm = score_harm(asked, answers, ["web", "web", "web", "name", "name"])
    counts = {name: (share.count, share.rows) for name, share in harm.items()}
    assert counts == {
        "changed: name": (1, 2),
        "changed: web": (3, 3),
        "meaning turned": (1, 5),
        "British or American spelling changed": (1, 5),
        "number changed": (1, 5),
    }


@pytest.mark.parametrize(
    ("count", "rows", "low", "high"),
    [(0, 0, 0, 1), (0, 100, 0, 0.0370), (5, 100, 0.0215, 0.1118), (100, 100, 0.9630, 1)],
)
def test_intervals_are_wilsons(count: int, rows: int, low: float, high: float) -> None:
    share = share_of(count, rows)
    assert (share.low, share.high) == pytest.approx((low, high), abs=1e-4)
