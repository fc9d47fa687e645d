"""A decision in one sentence."""

import pytest

from sluicegate.agents.explanation import as_limit, explain_verdict
from sluicegate.schemas.events import Threshold
from sluicegate.schemas.reason_codes import (
    BLOCK_THRESHOLD,
    DEGRADED,
    DROPPED,
    KNOWN_CODES,
    READING,
    REVIEW_THRESHOLD,
    SECOND,
    CodeFamily,
    PolicyCode,
    meaning_of,
)

PROBABILITIES = {"allow": 0.01, "illicit": 0.975, "harassment": 0.5}
THRESHOLDS = {"illicit": Threshold(allow=0.06, block=0.5), "harassment": Threshold(allow=0.4, block=1.1)}


@pytest.mark.parametrize(
    ("verdict", "reason", "said"),
    [
        ("block", "block_threshold:illicit", "Blocked: illicit has the probability 0.975; it is blocked from 0.50 on."),
        (
            "review",
            "review_threshold:harassment",
            "Sent to review: harassment has the probability 0.500; it is reviewed from 0.40 on and never blocked.",
        ),
        ("review", "review_threshold:sum", PolicyCode.REVIEW_SUM.meaning),
        ("block", "list:slurs", "Blocked: the list slurs of the policy decides."),
        (
            "allow",
            "below_every_threshold",
            "Allowed: no category reached its threshold, and allow has the probability 0.010.",
        ),
        ("review", "fail_closed", "Sent to review. The model gave no answer in time; the query went to review."),
        ("block", "a_rule_of_tomorrow:x", "Blocked (a_rule_of_tomorrow:x)."),
        ("quarantine", "new", "quarantine (new)."),
    ],
)
def test_the_rule_is_explained_with_its_numbers(verdict: str, reason: str, said: str) -> None:
    assert explain_verdict(verdict, reason, PROBABILITIES, THRESHOLDS) == said


def test_without_numbers_the_meaning_of_the_rule_is_left() -> None:
    said = explain_verdict("block", "block_threshold:illicit", {}, {})
    assert said == "Blocked: the probability of illicit reached its `block` threshold."


@pytest.mark.parametrize("code", KNOWN_CODES)
def test_every_code_has_a_meaning(code: str) -> None:
    assert meaning_of(code)


@pytest.mark.parametrize("family", [READING, SECOND, DEGRADED, DROPPED, BLOCK_THRESHOLD, REVIEW_THRESHOLD])
def test_each_code_of_a_family_has_a_meaning_of_its_own(family: CodeFamily) -> None:
    meanings = [meaning_of(family.code(parameter)) for parameter in family.meanings]
    assert len({*meanings, family.meaning}) == len(meanings) + 1
    assert meaning_of(family.code("of_another_version")) == family.meaning


@pytest.mark.parametrize("code", ["", "unheard_of", "block_threshold", ":"])
def test_a_code_of_another_version_has_none(code: str) -> None:
    assert meaning_of(code) is None


@pytest.mark.parametrize(
    ("threshold", "written"),
    [(0.3, "0.30"), (0.30000001, "0.30"), (0.002, "0.002"), (0.4567, "0.4567"), (0.99997, "1.00"), (1.0, "1.00")],
)
def test_a_small_threshold_is_not_rounded_away(threshold: float, written: str) -> None:
    assert as_limit(threshold) == written
