"""The second model decides what the screen is unsure of. Neither model alone turns a block into an allow."""

from itertools import product

import pytest

from sluicegate.models.inference.cascade import AskedFor, CascadeRule
from sluicegate.models.inference.judge import ModelResult
from sluicegate.models.inference.labels import Category
from sluicegate.models.inference.policy import SEVERITY, PolicyResult, Verdict
from sluicegate.models.inference.strictest import JudgedReading
from sluicegate.models.text.readings import ReadingName
from sluicegate.schemas.reason_codes import BLOCK_THRESHOLD, REVIEW_THRESHOLD, PolicyCode

ALLOW, REVIEW, BLOCK = Verdict.ALLOW, Verdict.REVIEW, Verdict.BLOCK


def said(verdict: Verdict, category: Category = Category.ILLICIT, probability: float = 0.5) -> PolicyResult:
    if verdict is ALLOW:
        return PolicyResult(verdict, None, probability, PolicyCode.BELOW_EVERY_THRESHOLD)
    family = BLOCK_THRESHOLD if verdict is BLOCK else REVIEW_THRESHOLD
    return PolicyResult(verdict, category, probability, family.code(category))


def reading(name: ReadingName, verdict: Verdict) -> JudgedReading:
    return JudgedReading(name, ModelResult(said(verdict), lexical="x", semantic="x"))


def test_the_second_model_is_asked_about_every_review_and_by_default_about_nothing_else() -> None:
    rule = CascadeRule()
    assert [rule.asked_for(said(verdict)) for verdict in (ALLOW, REVIEW, BLOCK)] == [None, AskedFor.REVIEW, None]
    by_sum = PolicyResult(REVIEW, None, 0.5, PolicyCode.REVIEW_SUM)
    assert rule.asked_for(by_sum) is AskedFor.REVIEW


def test_the_second_model_is_asked_about_a_block_of_a_category_that_needs_both() -> None:
    rule = CascadeRule(confirmed=frozenset({Category.ILLICIT}))
    assert rule.asked_for(said(BLOCK, Category.ILLICIT)) is AskedFor.BLOCK
    assert rule.asked_for(said(BLOCK, Category.SPAM)) is None


@pytest.mark.parametrize(
    ("readings", "asked"),
    [
        ([(ReadingName.QUERY, ALLOW), (ReadingName.SKELETON, BLOCK)], True),
        ([(ReadingName.QUERY, BLOCK), (ReadingName.SKELETON, REVIEW)], True),
        ([(ReadingName.QUERY, BLOCK), (ReadingName.SKELETON, BLOCK)], False),
        ([(ReadingName.SKELETON, BLOCK)], False),  # the skeleton replaced the query: there is one reading
        ([(ReadingName.QUERY, ALLOW), (ReadingName.WINDOW, BLOCK)], False),  # a long text hides nothing
        ([(ReadingName.QUERY, ALLOW), (ReadingName.CORRECTION, BLOCK)], False),
    ],
)
def test_the_second_model_is_asked_about_a_block_when_the_two_readings_of_a_disguise_differ(
    readings: list[tuple[ReadingName, Verdict]], asked: bool
) -> None:
    judged = [reading(name, verdict) for name, verdict in readings]
    assert CascadeRule().asked_for(said(BLOCK), judged) is (AskedFor.READINGS if asked else None)


@pytest.mark.parametrize(
    ("asked_for", "screen", "second", "decided"),
    [
        (AskedFor.REVIEW, REVIEW, ALLOW, ALLOW),
        (AskedFor.REVIEW, REVIEW, REVIEW, REVIEW),
        (AskedFor.REVIEW, REVIEW, BLOCK, BLOCK),
        (AskedFor.BLOCK, BLOCK, ALLOW, REVIEW),
        (AskedFor.BLOCK, BLOCK, REVIEW, REVIEW),
        (AskedFor.BLOCK, BLOCK, BLOCK, BLOCK),
        (AskedFor.READINGS, BLOCK, ALLOW, REVIEW),
        (AskedFor.READINGS, BLOCK, REVIEW, REVIEW),
        (AskedFor.READINGS, BLOCK, BLOCK, BLOCK),
    ],
)
def test_two_verdicts_become_one_as_the_table_says(
    asked_for: AskedFor, screen: Verdict, second: Verdict, decided: Verdict
) -> None:
    assert CascadeRule().combine(asked_for, said(screen), said(second)).verdict is decided


@pytest.mark.parametrize(("screen", "second"), list(product(Verdict, Verdict)))
def test_a_sample_never_changes_the_verdict(screen: Verdict, second: Verdict) -> None:
    first = said(screen)
    assert CascadeRule().combine(AskedFor.SAMPLE, first, said(second)) is first


@pytest.mark.parametrize(("asked_for", "screen", "second"), list(product(AskedFor, Verdict, Verdict)))
@pytest.mark.parametrize("may_block", [True, False])
def test_no_pair_of_verdicts_lifts_a_block_to_an_allow_or_makes_an_allow_stricter(
    asked_for: AskedFor, screen: Verdict, second: Verdict, may_block: bool
) -> None:
    decided = CascadeRule(may_block=may_block).combine(asked_for, said(screen), said(second)).verdict
    if screen is BLOCK:
        assert decided is not ALLOW
    if screen is ALLOW:
        assert decided is ALLOW
    assert SEVERITY[decided] <= max(SEVERITY[screen], SEVERITY[second])


def test_a_second_model_that_may_not_block_leaves_a_review_as_it_was() -> None:
    screen = said(REVIEW)
    assert CascadeRule(may_block=False).combine(AskedFor.REVIEW, screen, said(BLOCK)) is screen


def test_the_model_that_decided_gives_category_probability_and_reason() -> None:
    rule, screen = CascadeRule(), said(REVIEW, Category.ILLICIT, 0.4)
    for second in (said(ALLOW, probability=0.9), said(BLOCK, Category.VIOLENCE, 0.8)):
        assert rule.combine(AskedFor.REVIEW, screen, second) is second
    assert rule.combine(AskedFor.REVIEW, screen, said(REVIEW, Category.VIOLENCE)) is screen


def test_a_block_that_is_not_confirmed_is_reviewed_with_the_screens_category_and_a_reason_of_its_own() -> None:
    screen = said(BLOCK, Category.ILLICIT, 0.97)
    decided = CascadeRule().combine(AskedFor.BLOCK, screen, said(ALLOW))
    assert decided == PolicyResult(REVIEW, Category.ILLICIT, 0.97, PolicyCode.BLOCK_UNCONFIRMED)
