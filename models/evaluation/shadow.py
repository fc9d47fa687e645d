"""Comparing a model or policy in shadow with what is in use, by the two ledger records of each event."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import LedgerRecord

_EXAMPLES: Final = 10


class LedgerLine(msgspec.Struct, frozen=True):
    """A line that ``sluice tail ledger`` prints. Its other fields are ignored."""

    value: LedgerRecord


class Agreement(msgspec.Struct, frozen=True):
    """How often the candidate decided as the model in use did, in shares. `answers`: exactly the same answer.

    `changes` counts the verdicts that differ, by "before → after", and `categories` by the category that the candidate
    names, or else the one in use. `examples` has the first event ids of each change.
    """

    verdicts: float
    intents: float
    answers: float
    changes: dict[str, int]
    examples: dict[str, list[str]]
    categories: dict[str, int] = {}


class ShadowScores(msgspec.Struct, frozen=True):
    """How one model decided the events that both decided. The milliseconds are those of its engine calls."""

    events: int
    allowed: float
    review: float
    blocked: float
    model_ms_p50: float
    model_ms_p95: float
    output_tokens: float
    agreement: Agreement | None


def score_shadow(records: Sequence[LedgerRecord]) -> dict[str, ShadowScores]:
    """The scores of what is in use and of each candidate, by version, over the events that both decided.

    A version is that of the model; that of the policy is added where the records have several. Degraded decisions are
    left out. A redelivered event counts once.

    Raises:
        ContractError: no event was decided twice.
    """
    decided = [record for record in records if record.decision and not record.decision.degraded]
    several_policies = len({record.policy_version for record in decided}) > 1
    served = {record.event_id: record for record in decided if not record.shadow}
    shadows: dict[str, dict[str, LedgerRecord]] = defaultdict(dict)
    for record in decided:
        if record.shadow and record.event_id in served:
            shadows[_version(record, several_policies)][record.event_id] = record
    if not shadows:
        raise ContractError(
            "no event has a shadow decision: start a trial with `sluice models shadow` or `sluice policy shadow`, "
            "and read the ledger again"
        )
    both = sorted({event for candidate in shadows.values() for event in candidate})
    versions = Counter(_version(served[event], several_policies) for event in both)
    in_use = versions.most_common(1)[0][0]
    scores = {in_use: _score([served[event] for event in both], None)}
    for version, candidate in shadows.items():
        pairs = [(served[event], record) for event, record in candidate.items()]
        name = f"{version}, in shadow" if version == in_use else version
        scores[name] = _score(list(candidate.values()), _agreement(pairs))
    return scores


def _version(record: LedgerRecord, several_policies: bool) -> str:
    return f"{record.model_version}, {record.policy_version}" if several_policies else record.model_version


def _score(records: Sequence[LedgerRecord], agreement: Agreement | None) -> ShadowScores:
    outcomes = Counter(record.outcome for record in records)
    milliseconds = [record.latency_ms.model or 0.0 for record in records]
    return ShadowScores(
        events=len(records),
        allowed=outcomes["allowed"] / len(records),
        review=outcomes["review"] / len(records),
        blocked=outcomes["blocked"] / len(records),
        model_ms_p50=float(np.percentile(milliseconds, 50)),
        model_ms_p95=float(np.percentile(milliseconds, 95)),
        output_tokens=sum(record.tokens.output for record in records) / len(records),
        agreement=agreement,
    )


def _agreement(pairs: Sequence[tuple[LedgerRecord, LedgerRecord]]) -> Agreement:
    examples: dict[str, list[str]] = defaultdict(list)
    categories: Counter[str] = Counter()
    intents = 0
    for before, after in pairs:
        if before.outcome != after.outcome:
            examples[f"{before.outcome} → {after.outcome}"].append(after.event_id)
            categories[_category(after) or _category(before) or "none"] += 1
        intents += bool(before.decision and after.decision and before.decision.intent == after.decision.intent)
    changed = sum(map(len, examples.values()))
    return Agreement(
        verdicts=1 - changed / len(pairs),
        intents=intents / len(pairs),
        answers=sum(before.output_hash == after.output_hash for before, after in pairs) / len(pairs),
        changes={change: len(events) for change, events in examples.items()},
        examples={change: events[:_EXAMPLES] for change, events in examples.items()},
        categories=dict(categories.most_common()),
    )


def _category(record: LedgerRecord) -> str | None:
    return record.decision.category if record.decision else None
