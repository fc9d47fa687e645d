"""The strictest reading decides, and nothing is published that was judged more strictly than the query."""

import pytest

from sluicegate.models.inference.judge import EncodedQuery, ModelResult
from sluicegate.models.inference.labels import LABELS, Intent
from sluicegate.models.inference.policy import DEFAULT_THRESHOLDS, Policy, PolicyResult, Verdict
from sluicegate.models.inference.strictest import JudgedReading, merge, merge_rewrites, strictest
from sluicegate.models.text.readings import ReadingName
from sluicegate.schemas.reason_codes import PolicyCode, RewriteCode

POLICY = Policy(DEFAULT_THRESHOLDS)
TYPED = EncodedQuery("red shoos", ("red", "shoos"))


def result(lexical: str = "red shoes", **probabilities: float) -> ModelResult:
    """What a model makes of a query that it gives these probabilities; the rest is that of `allow`."""
    row = {label: probabilities.get(label, 0.0) for label in LABELS}
    row["allow"] = 1 - sum(probabilities.values())
    return ModelResult(
        POLICY.judge(row),
        lexical=lexical,
        semantic=f"{lexical} (sneakers)",
        codes=(RewriteCode.REWRITTEN,),
        probabilities=row,
        intent=Intent.PRODUCT_SEARCH,
        synonyms=("sneakers",),
        prompt_hash="a" * 64,
    )


def readings(query: ModelResult, skeleton: ModelResult, *windows: ModelResult) -> list[JudgedReading]:
    return [
        JudgedReading(ReadingName.QUERY, query),
        JudgedReading(ReadingName.SKELETON, skeleton),
        *(JudgedReading(ReadingName.WINDOW, window) for window in windows),
    ]


SAFE, RUDE, RUDER = result(), result(harassment=0.5), result(harassment=0.9)
DRUGS, BOMB = result(illicit=0.72), result(illicit=0.95)


@pytest.mark.parametrize(
    ("judged", "decides"),
    [
        (readings(SAFE, SAFE), 0),
        (readings(SAFE, RUDE), 1),
        (readings(RUDE, SAFE), 0),
        (readings(RUDE, RUDER), 1),
        (readings(RUDER, DRUGS), 1),  # a block by a little is stricter than a review by far
        (readings(SAFE, RUDER, BOMB, DRUGS), 2),
        (readings(SAFE, result(illicit=0.2)), 1),  # both are allowed: the events have the more doubtful probabilities
    ],
)
def test_block_is_stricter_than_review_and_then_the_margin_over_the_threshold_decides(
    judged: list[JudgedReading], decides: int
) -> None:
    assert strictest(judged, POLICY) is judged[decides]


def test_the_strictest_reading_gives_the_verdict_and_the_query_everything_else() -> None:
    merged = merge(TYPED, readings(SAFE, BOMB), POLICY)
    assert (merged.policy_result, merged.probabilities) == (BOMB.policy_result, BOMB.probabilities)
    assert (merged.lexical, merged.intent, merged.prompt_hash) == (SAFE.lexical, SAFE.intent, SAFE.prompt_hash)
    assert merged.codes == ("reading:skeleton", *SAFE.codes)


@pytest.mark.parametrize("judged", [readings(BOMB, SAFE), readings(SAFE, result(illicit=0.2)), readings(RUDER, RUDE)])
def test_no_code_names_a_reading_when_the_query_itself_decides_or_all_are_allowed(judged: list[JudgedReading]) -> None:
    assert merge(TYPED, judged, POLICY).codes == SAFE.codes


def test_a_reading_that_was_not_answered_counts_as_the_policy_decided() -> None:
    missing = ModelResult(PolicyResult(Verdict.REVIEW, None, 0.0, PolicyCode.FAIL_CLOSED), lexical="", semantic="")
    assert strictest(readings(SAFE, missing), POLICY).result is missing
    assert strictest(readings(RUDER, missing), POLICY).result is missing
    assert strictest(readings(missing, BOMB), POLICY).result is BOMB


def test_a_rewrite_that_is_judged_more_strictly_leaves_nothing_and_its_verdict_counts() -> None:
    query = EncodedQuery("red shoos", ("red", "shoos"))
    merged = merge_rewrites(query, SAFE, [JudgedReading(ReadingName.REWRITE, RUDE)], POLICY)
    assert merged.policy_result == RUDE.policy_result
    assert (merged.lexical, merged.semantic, merged.synonyms, merged.facets) == ("red shoos", "red shoos", (), ())
    assert merged.codes == ("reading:rewrite", "rewrite_unsafe")


def test_a_rewrite_that_is_judged_no_more_strictly_is_published() -> None:
    query = EncodedQuery("red shoos", ("red", "shoos"))
    for rewrite in (SAFE, result(illicit=0.2)):
        assert merge_rewrites(query, SAFE, [JudgedReading(ReadingName.REWRITE, rewrite)], POLICY) is SAFE
    assert merge_rewrites(query, SAFE, [], POLICY) is SAFE
