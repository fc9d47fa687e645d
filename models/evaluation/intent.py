"""Intent: how often a system names the right domain."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from sluicegate.models.data.rows import IntentRow
from sluicegate.models.inference.labels import Intent
from sluicegate.schemas.errors import ContractError

OUT_OF_SCOPE = "out_of_scope"


class IntentScores(msgspec.Struct, frozen=True):
    """Shares of rows that were right: of all rows, in each domain, and the mean over domains."""

    rows: int
    accuracy: float
    mean_over_domains: float
    domains: dict[str, float]
    domain_rows: dict[str, int]


def expected_intents(rows: Sequence[IntentRow]) -> list[Intent]:
    """The intent of each row. Out of scope is `Intent.OTHER`.

    Raises:
        ContractError: a domain is not one of `models.inference.labels.Intent`.
    """
    known = {intent.value: intent for intent in Intent} | {OUT_OF_SCOPE: Intent.OTHER}
    if unknown := {row.domain for row in rows} - set(known):
        raise ContractError(f"unknown domain {min(unknown)!r}: the intents are {', '.join(known)}")
    return [known[row.domain] for row in rows]


def score_intents(rows: Sequence[IntentRow], answers: Sequence[str | None]) -> IntentScores:
    """The scores of a system that gave `answers`. None, as for a blocked query, is wrong."""
    expected = expected_intents(rows)
    totals = Counter(row.domain for row in rows)
    right = Counter(row.domain for row, intent, answer in zip(rows, expected, answers, strict=True) if intent == answer)
    domains = {domain: right[domain] / total for domain, total in sorted(totals.items())}
    return IntentScores(
        rows=len(rows),
        accuracy=right.total() / len(rows),
        mean_over_domains=sum(domains.values()) / len(domains),
        domains=domains,
        domain_rows=dict(sorted(totals.items())),
    )
