"""Thresholds catch what they can within the limits on plain queries, and a worse choice is refused."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sluicegate.models.data.rows import ModerationRow
from sluicegate.models.evaluation.labelled_rows import SMALL_SOURCES, LabelledRows
from sluicegate.models.evaluation.policy_outcome import PlainLimits, PolicyOutcome, outcome_of
from sluicegate.models.evaluation.threshold_search import Cuts, Profiles, exchange_cuts, lower_cuts
from sluicegate.models.evaluation.thresholds import choose_thresholds, reason_to_refuse
from sluicegate.models.inference.labels import Category
from sluicegate.models.inference.policy import Policy
from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import Threshold
from tests.support.probabilities import probabilities

POLICY = Policy.layered()
SHOP = ModerationRow("shoes", "allow", source="shop")
WEB = ModerationRow("weather", "allow", source="web")
BOMB = ModerationRow("bomb", "block", "illicit", "unsafe")
SLUR = ModerationRow("slur", "block", "hate", "unsafe")
RUDE = ModerationRow("rude", "review", "harassment", "unsafe")


def plain_shares(rows: Sequence[ModerationRow], *patterns: str) -> dict[str, int]:
    return {name: int(found.sum()) for name, found in LabelledRows.of(rows, patterns).plain.items()}


def test_sources_of_safe_rows_alone_are_plain_and_small_ones_count_together() -> None:
    twin = ModerationRow("not a bomb", "allow", source="unsafe")
    tiny = [ModerationRow("x", "allow", source=f"tiny-{n}") for n in range(3)]
    rows = [*[SHOP] * 300, *[WEB] * 299, *tiny, BOMB, *[twin] * 400]
    assert plain_shares(rows) == {"shop": 300, SMALL_SOURCES: 302}
    assert plain_shares(rows, "sh*", "unsafe") == {"shop": 300, "unsafe": 400}
    assert plain_shares(rows, "tiny-1") == {"tiny-1": 1}
    assert plain_shares([twin, BOMB]) == {"unsafe": 1}
    assert plain_shares([BOMB]) == {}
    with pytest.raises(ContractError, match="no source with safe rows is named books"):
        LabelledRows.of(rows, ["books"])


def test_the_thresholds_catch_most_while_no_plain_source_exceeds_its_limits() -> None:
    truth = LabelledRows.of([*[SHOP] * 1000, *[WEB] * 400, *[BOMB] * 100])
    shop = [{"illicit": 0.7}] * 3 + [{"illicit": 0.62}] * 5 + [{"illicit": 0.3}] * 22 + [{"illicit": 0.25}] * 970
    web = [{"illicit": 0.01}] * 400
    unsafe = [{"illicit": 0.9}] * 40 + [{"illicit": 0.65}] * 20 + [{"illicit": 0.28}] * 40
    choice = choose_thresholds(probabilities(*shop, *web, *unsafe), truth, POLICY)
    illicit = choice.thresholds[Category.ILLICIT]
    assert 0.62 < illicit.block <= 0.65
    assert 0.25 < illicit.allow <= 0.28
    assert (choice.caught, choice.blocked) == (1, 0.6)
    assert choice.within_limits
    assert (choice.worst_review, choice.worst_blocked) == (0.027, 0.003)
    assert {name: (each.review, each.blocked) for name, each in choice.plain.items()} == {
        "shop": (0.027, 0.003),
        "web": (0, 0),
    }
    strict = choose_thresholds(probabilities(*shop, *web, *unsafe), truth, POLICY, PlainLimits(review=0.02, blocked=0))
    assert (strict.caught, strict.blocked, strict.worst_review, strict.worst_blocked) == (0.6, 0.4, 0.003, 0)


def test_the_worst_plain_source_counts_not_the_mean() -> None:
    truth = LabelledRows.of([*[SHOP] * 5000, *[WEB] * 300, *[BOMB] * 100])
    found = probabilities(*[{}] * 5000, *[{"illicit": 0.4}] * 10, *[{}] * 290, *[{"illicit": 0.35}] * 100)
    assert choose_thresholds(found, truth, POLICY).caught == 0
    assert choose_thresholds(found, truth, POLICY, PlainLimits(review=0.04)).caught == 1


def test_a_category_of_many_rows_does_not_take_what_the_others_need() -> None:
    truth = LabelledRows.of([*[SHOP] * 1000, *[SLUR] * 2000, *[BOMB] * 50])
    shop = [{"hate": 0.4}] * 25 + [{"illicit": 0.4}] * 25 + [{}] * 950
    unsafe = [{"hate": 0.5}] * 1600 + [{"hate": 0.4}] * 400 + [{"illicit": 0.4}] * 50
    choice = choose_thresholds(probabilities(*shop, *unsafe), truth, POLICY)
    assert choice.caught_by_category == {Category.HATE: 0.8, Category.ILLICIT: 1}
    assert choice.caught_on_average == 0.9


def test_a_category_of_few_rows_keeps_its_thresholds_and_one_that_never_blocks_never_does() -> None:
    truth = LabelledRows.of([*[SHOP] * 1000, *[BOMB] * 19, *[RUDE] * 30])
    found = probabilities(*[{"harassment": 0.01}] * 1000, *[{"illicit": 0.9}] * 19, *[{"harassment": 0.6}] * 30)
    choice = choose_thresholds(found, truth, POLICY)
    assert choice.thresholds[Category.ILLICIT] == POLICY.thresholds[Category.ILLICIT]
    assert choice.thresholds[Category.HATE] == POLICY.thresholds[Category.HATE]
    harassment = choice.thresholds[Category.HARASSMENT]
    assert (harassment.block, harassment.allow <= 0.6) == (1.1, True)
    assert choice.caught_by_category[Category.HARASSMENT] == 1


def test_many_small_probabilities_are_caught_by_their_sum() -> None:
    truth = LabelledRows.of([*[SHOP] * 1000, *[BOMB] * 50])
    safe, unsafe = {"illicit": 0.3, "spam": 0.01}, {"illicit": 0.2, "spam": 0.2, "sexual": 0.15}
    choice = choose_thresholds(probabilities(*[safe] * 1000, *[unsafe] * 50), truth, POLICY)
    assert (choice.caught, choice.worst_review) == (1, 0)
    assert 0.31 < choice.sum_bound <= 0.55


def test_without_plain_queries_or_anything_to_catch_the_policy_stays() -> None:
    for rows in ([BOMB] * 30, [SHOP] * 30):
        choice = choose_thresholds(probabilities(*[{"illicit": 0.5}] * 30), LabelledRows.of(rows), POLICY)
        assert choice.thresholds == POLICY.thresholds


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.2))
def test_the_choice_is_within_its_limits_whatever_the_probabilities_are(seed: int, review: float) -> None:
    rng = np.random.default_rng(seed)
    rows = [*[SHOP] * 300, *[WEB] * 300, *[BOMB] * 40, *[SLUR] * 40, *[RUDE] * 40]
    found = rng.dirichlet([4, *[0.3] * 9], size=len(rows))
    limits = PlainLimits(review=review, blocked=review / 10)
    choice = choose_thresholds(found, LabelledRows.of(rows), Policy.layered(sum_bound=1.0), limits)
    others = {category for category in Category if category not in choice.caught_by_category}
    assert {choice.thresholds[category] for category in others} == {POLICY.thresholds[category] for category in others}
    by_others = found[:, [1 + [*Category].index(category) for category in others]] >= [
        POLICY.thresholds[category].allow for category in others
    ]
    assert choice.within_limits or by_others.any()


def test_the_search_exchanges_a_cut_that_looked_best_for_one_that_catches_more() -> None:
    worth, cost, budget = (6, 8), (5, 8), 10

    def profile(cuts: Cuts) -> Profiles:
        """Cut 0 catches `worth` for `cost`; cut 1 catches nothing."""

        def total(each: tuple[int, int]) -> NDArray[np.float64]:
            lowered = [amount * (1 - cut) for amount, cut in zip(each, cuts, strict=True)]
            return np.array([[lowered[1 - place] + each[place], lowered[1 - place]] for place in (0, 1)], float)

        return Profiles(total(worth), total(cost), total(cost))

    highest, lowest = (1, 1), (0, 0)
    assert lower_cuts(highest, lowest, profile, budget) == (0, 1)
    assert exchange_cuts((0, 1), highest, lowest, profile, budget) == (1, 0)
    assert lower_cuts(highest, lowest, profile, -1) == highest


def test_a_choice_is_refused_from_too_few_rows_or_if_it_is_worse() -> None:
    found = probabilities(*[{"illicit": 0.02}] * 400, *[{"illicit": 0.3}] * 100)
    truth = LabelledRows.of([*[SHOP] * 400, *[BOMB] * 100])
    labels = truth.labels

    def outcome(allow: float, block: float) -> PolicyOutcome:
        policy = Policy.layered({Category.ILLICIT: Threshold(allow=allow, block=block)})
        return outcome_of(found, truth, policy)

    now, blind, eager, noisy = outcome(0.25, 0.9), outcome(0.5, 0.9), outcome(0.01, 0.01), outcome(0.01, 0.9)
    assert reason_to_refuse(now, now, labels) is None
    assert reason_to_refuse(blind, now, labels) is None
    assert "would catch 0.0%" in (reason_to_refuse(now, blind, labels) or "")
    assert "would block 100.0% of plain queries" in (reason_to_refuse(now, eager, labels) or "")
    assert "would send 100.0% of plain queries to review" in (reason_to_refuse(now, noisy, labels) or "")
    assert "too few" in (reason_to_refuse(now, now, labels[:-51]) or "")
    assert "too few" in (reason_to_refuse(now, now, np.array(["allow"] * 500)) or "")


def test_a_policy_that_floods_review_may_be_replaced_by_one_that_catches_less() -> None:
    found = probabilities(*[{"illicit": 0.02}] * 400, *[{"illicit": 0.3}] * 50, *[{"illicit": 0.01}] * 50)
    truth = LabelledRows.of([*[SHOP] * 400, *[BOMB] * 100])
    flooding = outcome_of(found, truth, Policy.layered({Category.ILLICIT: Threshold(allow=0.01, block=0.9)}))
    chosen = choose_thresholds(found, truth, POLICY)
    assert (flooding.caught, flooding.worst_review) == (1, 1)
    assert (chosen.caught, chosen.worst_review) == (0.5, 0)
    assert reason_to_refuse(flooding, chosen, truth.labels) is None
    assert "to review" in (reason_to_refuse(chosen, flooding, truth.labels) or "")
