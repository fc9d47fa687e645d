"""``sluice gate``: decisions as JSON lines, through the worker's own decider, without Kafka.

Results leave in input order while later lines are already being decided; how many are under way is bounded, so a file
of any size streams through.
"""

import asyncio
import codecs
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

import msgspec
import orjson

from sluicegate.agents.cli.streams import lines_of_stdin, raw_queries
from sluicegate.agents.deciding.decider import Decider, Decision, load_engine
from sluicegate.agents.settings import Settings
from sluicegate.models.inference.policy import Verdict
from sluicegate.schemas.errors import ContractError

_MAX_DEADLINE_MS: Final = 600_000  # nobody waits for a file's lines one by one


_NumberedRow = tuple[int, bytes]

_DECIDED: Final = (
    "verdict",
    "category",
    "probabilities",
    "intent",
    "rewrite",
    "semantic",
    "reason_codes",
    "latency_ms",
)
_ANSWER_FIELDS: Final = frozenset((*_DECIDED, "error", "line"))
_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Line(msgspec.Struct):
    query: str | None = None
    text: str | None = None


def decide_arguments(settings: Settings, queries: Iterable[str]) -> int:
    """Decide `queries`; returns how many could not be."""
    return asyncio.run(_decide(settings, _from_iterable(raw_queries(queries))))


def decide_stdin(settings: Settings) -> int:
    """Decide the JSON lines of standard input; returns how many could not be."""
    return asyncio.run(_decide(settings, _from_stdin()))


async def _from_iterable(rows: Iterable[bytes]) -> AsyncIterator[_NumberedRow]:
    for number, row in enumerate(rows, 1):
        yield number, row


async def _from_stdin() -> AsyncIterator[_NumberedRow]:
    number = 0
    async for row in lines_of_stdin():
        number += 1
        if row := row.removeprefix(codecs.BOM_UTF8).strip():
            yield number, row


async def _decide(settings: Settings, rows: AsyncIterator[_NumberedRow]) -> int:
    settings = settings.model_copy(update={"deadline_ms": _MAX_DEADLINE_MS})
    under_way: asyncio.Queue[asyncio.Task[tuple[dict[str, Any], bool]] | None] = asyncio.Queue(2 * settings.batch_size)
    failed = 0
    async with Decider[None].running(load_engine(settings), settings) as decider, asyncio.TaskGroup() as tasks:

        async def read() -> None:
            async for number, row in rows:
                await under_way.put(tasks.create_task(_decide_row(decider, number, row)))
            await under_way.put(None)

        tasks.create_task(read(), name="reader")
        while task := await under_way.get():
            answer, decided = await task
            failed += not decided
            sys.stdout.buffer.write(orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE))
            sys.stdout.buffer.flush()
    return failed


async def _decide_row(decider: Decider[None], number: int, row: bytes) -> tuple[dict[str, Any], bool]:
    passed_through: dict[str, msgspec.Raw] = {}
    try:
        document = orjson.loads(row)
        if isinstance(document, dict):
            passed_through = _fields(row)
        line = msgspec.convert(document, _Line)
        query = line.query if line.query is not None else line.text
        if query is None:
            raise ContractError("Object missing required field `query` (or `text`)")
        answer, decided = _answer(await decider.decide(query, None)), True
    except (orjson.JSONDecodeError, msgspec.DecodeError, RecursionError, ContractError) as error:
        answer, decided = {"verdict": None, "error": str(error), "line": number}, False
    return {**_renamed(passed_through), **answer}, decided


def _renamed(fields: Mapping[str, msgspec.Raw]) -> dict[str, orjson.Fragment]:
    """`fields`, byte for byte, under names that no field of an answer has and that no two share."""
    free: dict[str, orjson.Fragment] = {}
    for name, value in fields.items():
        new = name
        while new in _ANSWER_FIELDS or (new != name and new in fields):
            new = f"input_{new}"
        free[new] = orjson.Fragment(bytes(value))
    return free


def _answer(decision: Decision) -> dict[str, Any]:
    model_result = decision.model_result
    blocked = model_result.policy_result.verdict is Verdict.BLOCK
    ended_ns = decision.batched.ended_ns if decision.batched else decision.normalise_ended_ns
    return {
        "verdict": model_result.policy_result.verdict,
        "category": model_result.policy_result.category,
        "probabilities": model_result.probabilities,
        "intent": None if blocked else model_result.intent,
        "rewrite": None if blocked else model_result.lexical,
        "semantic": None if blocked else model_result.semantic,
        "reason_codes": decision.reason_codes,
        "latency_ms": (ended_ns - decision.normalise_started_ns) / 1e6,
    }
