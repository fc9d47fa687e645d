"""One verdict from several readings of a query: the strictest counts.

Strictest means: block before review before allow; of equal verdicts the one with the largest margin, which is how far
a probability lies above the threshold that its verdict is about (the `block` threshold of a blocked reading, else the
`allow` threshold; below zero where it is below). Of equal margins the first reading. A reading that the model did not
answer has the verdict of the policy, and the largest margin.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sluicegate.models.inference.judge import EncodedQuery, ModelResult
from sluicegate.models.inference.labels import Category
from sluicegate.models.inference.policy import SEVERITY, Policy, PolicyResult, Verdict
from sluicegate.models.text.readings import ReadingName
from sluicegate.schemas.reason_codes import READING, ReasonCode, RewriteCode


@dataclass(frozen=True)
class JudgedReading:
    """What the model made of one reading."""

    name: ReadingName
    result: ModelResult
    text: str = ""


def strictest(judged: Sequence[JudgedReading], policy: Policy) -> JudgedReading:
    """The reading that decides, of at least one; see the module for what strictest means."""
    return max(judged, key=lambda reading: _strictness(reading.result, policy))


def merge(query: EncodedQuery, judged: Sequence[JudgedReading], policy: Policy) -> ModelResult:
    """The result of the first of `judged`, with the verdict and the probabilities of the strictest.

    A reason code names the reading that decided where the verdict is not allow and another than `query` decided. Where
    `query` itself was not judged, nothing is made of it.
    """
    worst = strictest(judged, policy)
    first = judged[0].result if judged[0].name is ReadingName.QUERY else _as_typed(query, judged[0].result)
    codes: tuple[ReasonCode, ...] = first.codes
    if worst.name is not ReadingName.QUERY and worst.result.policy_result.verdict is not Verdict.ALLOW:
        codes = (READING.code(worst.name), *codes)
    return replace(
        first,
        policy_result=worst.result.policy_result,
        probabilities=worst.result.probabilities,
        codes=codes,
    )


def merge_rewrites(
    query: EncodedQuery, result: ModelResult, rewrites: Sequence[JudgedReading], policy: Policy
) -> ModelResult:
    """`result`, or the verdict of a rewrite of it that is judged more strictly: then no rewrite leaves."""
    merged = merge(query, [JudgedReading(ReadingName.QUERY, result), *rewrites], policy)
    if SEVERITY[merged.policy_result.verdict] == SEVERITY[result.policy_result.verdict]:
        return result
    return without_rewrite(query, merged, RewriteCode.UNSAFE)


def without_rewrite(query: EncodedQuery, result: ModelResult, why: RewriteCode) -> ModelResult:
    """`result` with the query as it was in place of everything that was made of it."""
    typed = _as_typed(query, result)
    return replace(typed, codes=(*typed.codes, why))


def _as_typed(query: EncodedQuery, result: ModelResult) -> ModelResult:
    codes = tuple(code for code in result.codes if code is not RewriteCode.REWRITTEN)
    return replace(result, lexical=query.text, semantic=query.text, synonyms=(), facets=(), expansions=(), codes=codes)


def is_allowed(reading: JudgedReading) -> bool:
    """Whether the model allows a reading; not if the policy decided in its place."""
    return reading.result.policy_result.verdict is Verdict.ALLOW and bool(reading.result.probabilities)


def _strictness(result: ModelResult, policy: Policy) -> tuple[int, float]:
    return SEVERITY[result.policy_result.verdict], _margin(result.policy_result, result.probabilities, policy)


def _margin(verdict: PolicyResult, probabilities: Mapping[str, float], policy: Policy) -> float:
    if not probabilities:
        return math.inf
    if verdict.verdict is not Verdict.ALLOW and verdict.category is None:
        return verdict.probability - policy.sum_bound
    blocked = verdict.verdict is Verdict.BLOCK
    limits = policy.thresholds
    return max(probabilities[each] - (limits[each].block if blocked else limits[each].allow) for each in Category)
