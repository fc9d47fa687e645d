"""Queries and records that other gates, spellers and stream processors got wrong, in `cases.jsonl`.

A query is decided by the gate with the embedded model. `expect` says what is right: one of `verdicts`, one of the
texts of `query` (the normalised text) and of `lexical`, ignoring case ("kept": the text as it was typed), and each of
`codes` among the reason codes. For the other cases `covered_by` names the test that shows what is `wanted`, null where
there is none.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import pytest

from sluicegate import AsyncGate, GateDecision
from sluicegate.models.text.casing import lower_case

ROOT: Final = Path(__file__).parents[2]


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is right about the decision; a field that is None does not matter."""

    verdicts: list[str] | None = None
    query: list[str] | str | None = None
    lexical: list[str] | str | None = None
    codes: list[str] = []


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the file."""

    id: str
    kind: str
    input: str
    severity: str
    locale: str | None = None
    expect: Expected | None = None
    wanted: str | None = None
    covered_by: str | None = None


CASES: Final = [
    msgspec.json.decode(line, type=Case) for line in (Path(__file__).parent / "cases.jsonl").read_bytes().splitlines()
]
QUERIES: Final = [case for case in CASES if case.expect]

_MODEL: Final = "G028"
_SPELLER: Final = "G102"
KNOWN: Final[Mapping[str, str]] = {
    **dict.fromkeys(_MODEL.split(), "the model"),
    **dict.fromkeys(_SPELLER.split(), "the speller"),
}
"""Cases that are wrong with the model and the speller of today, and why. None may be of high severity in a release."""


@pytest.fixture(scope="module")
def decisions() -> Mapping[str, GateDecision]:
    """The decision about each query."""

    async def decide() -> dict[str, GateDecision]:
        async with AsyncGate("embedded") as gate:
            return {case.id: await gate.decide(case.input, locale=case.locale) for case in QUERIES}

    return asyncio.run(decide())


def wrong(expect: Expected, decision: GateDecision, typed: str) -> list[str]:
    """What is not as expected, one sentence each."""
    found = []
    if expect.verdicts and decision.verdict not in expect.verdicts:
        found.append(f"{decision.verdict} by {decision.reason}, not {' or '.join(expect.verdicts)}")
    for name, text, right in (
        ("query", decision.query, expect.query),
        ("lexical", decision.lexical, expect.lexical),
    ):
        allowed = [typed] if right == "kept" else right
        if allowed and (text is None or lower_case(text) not in [lower_case(each) for each in allowed]):
            found.append(f"{name} is {text!r}, not {' or '.join(map(repr, allowed))}")
    return found + [f"no reason code {code}" for code in expect.codes if code not in decision.reason_codes]


@pytest.mark.parametrize("case", QUERIES, ids=[f"{case.id} {case.kind}" for case in QUERIES])
def test_the_query_is_decided_as_people_expect(case: Case, decisions: Mapping[str, GateDecision]) -> None:
    assert case.expect
    mistakes = wrong(case.expect, decisions[case.id], case.input)
    if mistakes and case.id in KNOWN:
        pytest.xfail(f"{KNOWN[case.id]}: {'; '.join(mistakes)}")
    assert mistakes == []


def test_at_least_95_in_100_queries_are_decided_as_people_expect(decisions: Mapping[str, GateDecision]) -> None:
    mistakes = {
        case.id: found
        for case in QUERIES
        if case.expect and case.id not in KNOWN and (found := wrong(case.expect, decisions[case.id], case.input))
    }
    assert len(mistakes) <= 0.05 * len(QUERIES), mistakes


@pytest.mark.parametrize("case", [case for case in CASES if case.covered_by], ids=lambda case: str(case.id))
def test_a_case_that_is_no_query_is_covered_by_a_test_that_exists(case: Case) -> None:
    file, _, name = str(case.covered_by).partition("::")
    assert f"def {name}(" in (ROOT / file).read_text()
