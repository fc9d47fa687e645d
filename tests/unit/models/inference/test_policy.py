"""Two thresholds per category, and the worst category decides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.models.inference.labels import LABELS, Category
from sluicegate.models.inference.policy import DEFAULT_THRESHOLDS, SUM_BOUND, Policy, Verdict
from sluicegate.schemas.events import Threshold

POLICY = Policy(dict.fromkeys(Category, Threshold(allow=0.25, block=0.75)))
SEVERITY = [Verdict.ALLOW, Verdict.REVIEW, Verdict.BLOCK]

probabilities = st.fixed_dictionaries(dict.fromkeys(LABELS, st.floats(0, 1)))


def row(**given_probabilities: float) -> dict[str, float]:
    return dict.fromkeys(LABELS, 0.0) | given_probabilities


def test_every_category_has_a_default() -> None:
    assert set(DEFAULT_THRESHOLDS) == set(Category)


@pytest.mark.parametrize(
    ("probability", "verdict"),
    [
        (0.0, Verdict.ALLOW),
        (0.24, Verdict.ALLOW),
        (0.25, Verdict.REVIEW),
        (0.74, Verdict.REVIEW),
        (0.75, Verdict.BLOCK),
        (1.0, Verdict.BLOCK),
    ],
)
def test_a_threshold_belongs_to_the_severer_side(probability: float, verdict: Verdict) -> None:
    assert POLICY.judge(row(spam=probability)).verdict is verdict


def test_an_allowed_query_carries_the_probability_of_allow_and_no_category() -> None:
    policy_result = POLICY.judge(row(allow=0.9, hate=0.1))
    assert (policy_result.category, policy_result.probability, policy_result.reason) == (
        None,
        0.9,
        "below_every_threshold",
    )


def test_the_most_probable_of_the_deciding_categories_is_named() -> None:
    policy_result = POLICY.judge(row(spam=0.3, hate=0.4))
    assert (policy_result.verdict, policy_result.category, policy_result.probability) == (
        Verdict.REVIEW,
        Category.HATE,
        0.4,
    )
    assert policy_result.reason == "review_threshold:hate"


def test_a_category_that_blocks_decides_before_a_likelier_one_that_does_not() -> None:
    policy = Policy.layered(POLICY.thresholds, {Category.SPAM: Threshold(allow=0.1, block=1.1)})
    policy_result = policy.judge(row(spam=0.99, hate=0.8))
    assert (policy_result.verdict, policy_result.category) == (Verdict.BLOCK, Category.HATE)


def test_a_block_threshold_above_one_never_blocks_without_review() -> None:
    policy = Policy.layered({Category.SPAM: Threshold(allow=0.1, block=1.1)})
    assert policy.judge(row(spam=1.0)).verdict is Verdict.REVIEW


def test_later_layers_override_earlier_ones_and_leave_the_rest() -> None:
    first, second = Threshold(allow=0.1, block=0.2), Threshold(allow=0.3, block=0.4)
    policy = Policy.layered({Category.HATE: first, Category.SPAM: first}, {Category.SPAM: second})
    assert policy.thresholds == {**DEFAULT_THRESHOLDS, Category.HATE: first, Category.SPAM: second}


def test_many_small_probabilities_are_reviewed_together() -> None:
    below: dict[str, float] = dict.fromkeys(Category, 0.05)
    policy_result = POLICY.judge({**below, "allow": 0.55})
    assert (policy_result.verdict, policy_result.category) == (Verdict.REVIEW, None)
    assert policy_result.reason == "review_threshold:sum"
    assert policy_result.probability == pytest.approx(0.45)
    assert POLICY.judge({**below, Category.SPAM: 0.0, Category.HATE: 0.0, "allow": 0.65}).verdict is Verdict.ALLOW


def test_a_category_that_is_tolerated_above_the_bound_is_judged_alone() -> None:
    policy = Policy.layered(POLICY.thresholds, {Category.SPAM: Threshold(allow=0.9, block=1.1)})
    assert policy.judge(row(spam=0.8, hate=0.2, allow=0.0)).verdict is Verdict.ALLOW
    assert policy.judge(row(spam=0.1, hate=0.24, sexual=0.24, allow=0.42)).reason == "review_threshold:sum"


@given(st.lists(st.floats(0.001, 1), min_size=len(LABELS), max_size=len(LABELS)))
def test_by_default_nothing_is_allowed_that_is_not_more_probably_safe(weights: list[float]) -> None:
    found = {label: weight / sum(weights) for label, weight in zip(LABELS, weights, strict=True)}
    if Policy.layered().judge(found).verdict is Verdict.ALLOW:
        assert found["allow"] > 0.6 - 1e-9


@given(probabilities, st.sampled_from(list(Category)), st.floats(0, 1))
def test_a_higher_probability_never_makes_the_verdict_milder(
    before: dict[str, float], category: Category, raised: float
) -> None:
    after = before | {category: max(raised, before[category])}
    assert SEVERITY.index(POLICY.judge(after).verdict) >= SEVERITY.index(POLICY.judge(before).verdict)


@given(probabilities)
def test_the_category_named_is_one_whose_thresholds_say_so(found: dict[str, float]) -> None:
    policy_result = POLICY.judge(found)
    if policy_result.category is None:
        assert all(found[category] < 0.25 for category in Category)
        assert (sum(found[category] for category in Category) >= SUM_BOUND) == (policy_result.verdict is Verdict.REVIEW)
    elif policy_result.reason == "block_threshold:sum":
        blockable = (category for category in Category if POLICY.thresholds[category].block <= 1)
        assert policy_result.probability == pytest.approx(sum(found[category] for category in blockable))
    else:
        assert policy_result.probability == found[policy_result.category]
        assert policy_result.probability >= (0.75 if policy_result.verdict is Verdict.BLOCK else 0.25)


def test_the_bound_on_the_sum_is_part_of_the_policy() -> None:
    found = row(allow=0.7, hate=0.15, spam=0.15)
    thresholds = POLICY.thresholds
    assert Policy(thresholds, sum_bound=0.31).judge(found).verdict is Verdict.ALLOW
    assert Policy(thresholds, sum_bound=0.29).judge(found).reason == "review_threshold:sum"


def test_categories_that_may_block_do_so_together_where_the_model_does_not_know_which_it_is() -> None:
    limit = Threshold(allow=0.3, block=0.9)
    thresholds = dict.fromkeys(Category, limit) | {Category.HARASSMENT: Threshold(allow=0.3, block=1.1)}
    unsure = dict.fromkeys(("allow", *Category), 0.0) | {"allow": 0.05, "violence": 0.5, "illicit": 0.45}
    found = Policy(thresholds).judge(unsure)
    assert (found.verdict, found.category, found.reason) == (Verdict.BLOCK, Category.VIOLENCE, "block_threshold:sum")
    assert found.probability == 0.95
    rude = unsure | {"illicit": 0.2, "harassment": 0.25}
    assert Policy(thresholds).judge(rude).verdict is Verdict.REVIEW
