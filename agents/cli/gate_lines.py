"""``sluice gate``: rows in, decisions out as JSON lines, through the Python API.

Results are written in the order of the rows, while later rows are already being decided. How many are under way is
bounded, so a file of any size streams through.
"""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from msgspec.structs import asdict

from sluicegate import AsyncGate, GateDecision
from sluicegate.agents.cli.gate_rows import Row
from sluicegate.agents.cli.streams import read_in_thread
from sluicegate.schemas.errors import ContractError

_AT_ONCE: Final = 64

_DECIDED: Final = (
    "verdict",
    "category",
    "probabilities",
    "intent",
    "lexical",
    "semantic",
    "suggestions",
    "reason_codes",
    "latency_ms",
)
_ANSWER_FIELDS: Final = frozenset((*_DECIDED, "error", "line"))


def decide_rows(model: Path | None, rows: Iterator[Row], surface: str | None = None) -> int:
    """Write the decisions about `rows` to standard output; returns how many rows could not be decided.

    `surface` is that of the rows that name none.

    Raises:
        ConfigurationError: the model or a setting is wrong.
        ContractError, StreamFailed: the source of the rows broke off; what came before is decided.
        OSError: standard output cannot be written to.
    """
    return asyncio.run(_decide_rows(model, rows, surface))


async def _decide_rows(model: Path | None, rows: Iterator[Row], surface: str | None) -> int:
    under_way: asyncio.Queue[asyncio.Task[tuple[dict[str, Any], bool]] | Exception | None] = asyncio.Queue(_AT_ONCE)
    deciding: set[asyncio.Task[tuple[dict[str, Any], bool]]] = set()
    failed = 0
    async with AsyncGate(model) as gate:

        async def start_all() -> None:
            end: Exception | None = None
            try:
                async for row in read_in_thread(rows):
                    task = asyncio.create_task(_decide_row(gate, row, surface))
                    deciding.add(task)
                    task.add_done_callback(deciding.discard)
                    await under_way.put(task)
            except Exception as error:  # noqa: BLE001 - it is raised below, after what came before it
                end = error
            await under_way.put(end)

        reader = asyncio.create_task(start_all(), name="reader")
        try:
            while task := await under_way.get():
                if isinstance(task, Exception):
                    raise task
                answer, decided = await task
                failed += not decided
                sys.stdout.buffer.write(orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE))
                sys.stdout.buffer.flush()
        finally:
            reader.cancel()
            for left in deciding:  # after an error nobody awaits them, and the gate is about to close
                left.cancel()
            await asyncio.gather(*deciding, return_exceptions=True)
    return failed


async def _decide_row(gate: AsyncGate, row: Row, surface: str | None) -> tuple[dict[str, Any], bool]:
    error = row.error
    if row.query is not None:
        try:
            return {
                **_renamed(row.fields),
                **_answer(await gate.decide(row.query, locale=row.locale, surface=row.surface or surface)),
            }, True
        except ContractError as refusal:
            error = str(refusal)
    return {**_renamed(row.fields), "verdict": None, "error": error, "line": row.number}, False


def _renamed(fields: Mapping[str, bytes]) -> dict[str, orjson.Fragment]:
    """`fields`, byte for byte, under names that no field of an answer has and that no two share."""
    free: dict[str, orjson.Fragment] = {}
    for name, value in fields.items():
        new = name
        while new in _ANSWER_FIELDS or (new != name and new in fields):
            new = f"input_{new}"
        free[new] = orjson.Fragment(value)
    return free


def _answer(decision: GateDecision) -> dict[str, Any]:
    return {
        "verdict": decision.verdict,
        "category": decision.category,
        "probabilities": decision.probabilities,
        "intent": decision.intent,
        "lexical": decision.lexical,
        "semantic": decision.semantic,
        "suggestions": [asdict(suggestion) for suggestion in decision.suggestions],
        "reason_codes": decision.reason_codes,
        "latency_ms": decision.latency_ms,
    }
