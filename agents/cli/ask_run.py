"""What ``sluice ask`` does before it prints: it reads the query, and asks each model."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from sluicegate import AsyncGate, GateDecision
from sluicegate.agents.cli.streams import open_input, raw_queries
from sluicegate.schemas.errors import ContractError, StreamFailed

_MOST_BYTES: Final = 1_000_000
"""Of standard input. No setting lets a query be as long."""
_WARM_UP: Final = "first quéry \u200bof this process"
"""Decided first: what happens once in a process is no part of a query's time."""


def query_of(words: Sequence[str]) -> str:
    """The query that the arguments are, or that standard input holds.

    Raises:
        ContractError: it is not UTF-8, or far too long.
        StreamFailed: standard input cannot be read.
    """
    if list(words) != ["-"]:
        raw_queries(words)
        return " ".join(words)
    with open_input(None) as stream:
        try:
            given = stream.read(_MOST_BYTES + 1)
        except OSError as error:
            raise StreamFailed(f"cannot read standard input: {error.strerror or error}") from None
    if len(given) > _MOST_BYTES:
        raise ContractError(f"standard input has more than {_MOST_BYTES} bytes: give one query")
    try:
        return given.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise ContractError("standard input is not UTF-8") from None


def decide_with(models: Sequence[Path], query: str, *, locale: str | None, surface: str | None) -> list[GateDecision]:
    """The decision of each of `models`, or of the one in the settings.

    Raises:
        ConfigurationError: a model or a setting is wrong.
        ContractError: nothing is left of the query once it is cleaned, or it is too long.
    """

    async def decide_all() -> list[GateDecision]:
        decisions = []
        choices: Sequence[Path | None] = models or [None]
        for model in choices:
            async with AsyncGate(model) as gate:
                await gate.decide(_WARM_UP)
                decisions.append(await gate.decide(query, locale=locale, surface=surface))
        return decisions

    return asyncio.run(decide_all())


def print_json(decisions: Sequence[GateDecision]) -> None:
    """One line per decision."""
    for decision in decisions:
        sys.stdout.buffer.write(msgspec.json.encode(decision) + b"\n")
    sys.stdout.buffer.flush()
