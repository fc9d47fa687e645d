"""What ``sluice policy check`` and ``diff`` do: decide queries by policies, through the worker's own decider."""

import asyncio
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
import orjson

from sluicegate.agents.cli.gate_rows import Row, rows_of_json_lines
from sluicegate.agents.deciding.decider import Decider, load_engine
from sluicegate.agents.deciding.decision import Decision
from sluicegate.agents.settings import load_settings
from sluicegate.models.artifacts.deployment import is_registry
from sluicegate.models.inference.labels import Category
from sluicegate.models.inference.policy import Verdict
from sluicegate.models.policy.compiled import CompiledPolicy, texts_to_search
from sluicegate.models.policy.policy_file import PolicyFile, read_policy
from sluicegate.models.policy.registry import POLICY_FILE
from sluicegate.models.policy.term_lists import Action
from sluicegate.models.text.normalise import normalise
from sluicegate.schemas.errors import ContractError, PolicyFileError
from sluicegate.schemas.events import Threshold
from sluicegate.schemas.reason_codes import BLOCK_THRESHOLD, REVIEW_THRESHOLD

_AT_ONCE: Final = 64
_EXAMPLES: Final = 10
_PATIENT_MS: Final = 45_000
_COLUMNS: Final = (7, 32)
"""Width of the verdict and of the reason."""


class MatchedTerm(msgspec.Struct, frozen=True):
    """A term that was found in a query."""

    list: str
    action: Action
    term: str


class Explained(msgspec.Struct, frozen=True):
    """How a policy decides a query. `threshold` is set where one decided; `matches` are the terms of all its lists."""

    query: str
    surface: str | None
    verdict: Verdict
    category: Category | None
    probability: float
    reason: str
    threshold: Threshold | None
    matches: Sequence[MatchedTerm]
    reason_codes: Sequence[str]
    policy_version: str | None


class Difference(msgspec.Struct, frozen=True):
    """How two policies decide the same queries.

    `changed` is a share of `rows`. `changes` counts the verdicts that differ, by "before → after", `categories` by the
    category that the stricter of the two names, `rules` by what decided then. `lines` has the first lines of each
    change.
    """

    before: str
    after: str
    rows: int
    changed: float
    changes: dict[str, int]
    categories: dict[str, int]
    rules: dict[str, int]
    lines: dict[str, list[int]]


def policy_file_at(path: Path) -> PolicyFile:
    """The policy in a file, or in the folder of a version.

    Raises:
        PolicyFileError: it is broken, or the folder is a whole registry.
    """
    if is_registry(path):
        raise PolicyFileError(f"{path} is a registry: name a version in it, such as {path}/NAME@HASH")
    return read_policy(path / POLICY_FILE if path.is_dir() else path)


def require_surface(file: PolicyFile, surface: str | None) -> None:
    """Raise ContractError if `surface` is one that the policy says nothing about."""
    named = sorted({*file.surfaces, *(each.surface for each in file.lists if each.surface)})
    if surface is not None and surface not in named:
        known = f"use {', '.join(named)}" if named else "it names none"
        raise ContractError(f"the policy {file.name} has no surface {surface!r}: {known}")


def check(file: PolicyFile, rows: Iterator[Row], surface: str | None, model: Path | None, *, as_json: bool) -> int:
    """Print how `file` decides each of `rows`; returns how many of them could not be decided.

    Raises:
        ConfigurationError: the model or a setting is wrong.
    """
    return asyncio.run(_check(CompiledPolicy(file), rows, surface, model, as_json=as_json))


async def _check(
    policy: CompiledPolicy, rows: Iterator[Row], surface: str | None, model: Path | None, *, as_json: bool
) -> int:
    failed = 0
    async with _decider(model) as decider:
        for row in rows:
            shown_surface = row.surface or surface
            try:
                decision = await decider.decide(_query_of(row), None, surface=shown_surface, policy=policy)
            except ContractError as error:
                failed += 1
                broken = {"line": row.number, "verdict": None, "error": str(error)}
                line = orjson.dumps(broken).decode() if as_json else f"line {row.number}: {error}"
            else:
                explained = _explained(policy, row.query or "", decision, shown_surface)
                line = msgspec.json.encode(explained).decode() if as_json else _as_text(explained)
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    return failed


def _explained(policy: CompiledPolicy, query: str, decision: Decision, surface: str | None) -> Explained:
    policy_result, limit = decision.model_result.policy_result, None
    if policy_result.reason.startswith((BLOCK_THRESHOLD.prefix, REVIEW_THRESHOLD.prefix)) and decision.thresholds:
        limit = decision.thresholds.thresholds.get(policy_result.category) if policy_result.category else None
    found = {
        MatchedTerm(match.term_list.name, match.term_list.action, match.term): None
        for text in dict.fromkeys(
            [*texts_to_search(query, normalise(query)), *(read.text for read in decision.readings)]
        )
        for match in policy.lists.find(text, surface)
    }
    return Explained(
        decision.text,
        surface,
        policy_result.verdict,
        policy_result.category,
        round(policy_result.probability, 4),
        policy_result.reason,
        limit,
        list(found),
        decision.reason_codes,
        decision.policy_version,
    )


def _as_text(explained: Explained) -> str:
    why = [f"{match.action} {match.list}: {match.term!r}" for match in explained.matches]
    if limit := explained.threshold:
        found = f"{explained.category} {explained.probability:.2f}"
        why.append(f"{found}, review from {limit.allow:g}, block from {limit.block:g}")
    verdict, reason = explained.verdict.ljust(_COLUMNS[0]), explained.reason.ljust(_COLUMNS[1])
    return f"{verdict} {reason} {explained.query}{'  [' + '; '.join(why) + ']' if why else ''}"


def compare(before: PolicyFile, after: PolicyFile, file: Path, surface: str | None, model: Path | None) -> Difference:
    """Decide the rows of a file by both policies.

    Raises:
        ConfigurationError: the model or a setting is wrong.
        ContractError: a row is broken; the message has its line.
    """
    return asyncio.run(_compare(before, after, list(rows_of_json_lines(file)), surface, model))


async def _compare(
    before: PolicyFile, after: PolicyFile, rows: list[Row], surface: str | None, model: Path | None
) -> Difference:
    policies = CompiledPolicy(before), CompiledPolicy(after)
    slots = asyncio.Semaphore(_AT_ONCE)
    async with _decider(model) as decider:

        async def decide(row: Row) -> list[Decision]:
            async with slots:
                try:
                    return [
                        await decider.decide(_query_of(row), None, surface=row.surface or surface, policy=policy)
                        for policy in policies
                    ]
                except ContractError as error:
                    raise ContractError(f"line {row.number}: {error}") from None

        pairs = await asyncio.gather(*map(decide, rows))
    lines: dict[str, list[int]] = defaultdict(list)
    categories: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    for row, (old, new) in zip(rows, pairs, strict=True):
        was, becomes = old.model_result.policy_result, new.model_result.policy_result
        if was.verdict != becomes.verdict:
            lines[f"{was.verdict} → {becomes.verdict}"].append(row.number)
            categories[becomes.category or was.category or "none"] += 1
            rules[becomes.reason] += 1
    changed = sum(map(len, lines.values()))
    return Difference(
        before.version,
        after.version,
        len(rows),
        changed / len(rows) if rows else 0.0,
        {change: len(numbers) for change, numbers in lines.items()},
        dict(categories.most_common()),
        dict(rules.most_common()),
        {change: numbers[:_EXAMPLES] for change, numbers in lines.items()},
    )


@asynccontextmanager
async def _decider(model: Path | None) -> AsyncIterator[Decider[None]]:
    settings = load_settings(model=model).model_copy(
        update={"deadline_ms": _PATIENT_MS, "shed_after_ms": 0, "policy": None, "thresholds": {}}
    )
    engine = await asyncio.to_thread(load_engine, settings)
    async with Decider[None].running(engine, settings) as decider:
        yield decider


def _query_of(row: Row) -> str:
    if row.query is None:
        raise ContractError(row.error or "the row has no query")
    return row.query
