"""Sluicegate: moderate, understand and rewrite raw queries before search, recommendation and ads see them.

    >>> from sluicegate import Gate
    >>> with Gate() as gate:
    ...     decision = gate.decide("wireless headphons")
    >>> decision.verdict, decision.lexical
    ('allow', 'wireless headphones')

`Gate` is for scripts and threads, `AsyncGate` for asyncio services. Both decide exactly as the Kafka worker does, and
import no Kafka client; `KafkaLedger` alone does. Everything else in the package is not public.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluicegate.agents.ledger.json_lines import JsonLinesLedger
    from sluicegate.agents.ledger.published import KafkaLedger
    from sluicegate.agents.ledger.spooled import SpoolLedger
    from sluicegate.async_gate import AsyncGate
    from sluicegate.decision import GateDecision
    from sluicegate.gate import Gate
    from sluicegate.schemas.errors import (
        ConfigurationError,
        ContractError,
        GateClosed,
        LedgerFailed,
        SluicegateError,
        SpoolFailed,
    )

__all__ = [
    "AsyncGate",
    "ConfigurationError",
    "ContractError",
    "Gate",
    "GateClosed",
    "GateDecision",
    "JsonLinesLedger",
    "KafkaLedger",
    "LedgerFailed",
    "SluicegateError",
    "SpoolFailed",
    "SpoolLedger",
]

_MODULES = {
    "AsyncGate": "async_gate",
    "Gate": "gate",
    "GateDecision": "decision",
    "JsonLinesLedger": "agents.ledger.json_lines",
    "KafkaLedger": "agents.ledger.published",
    "SpoolLedger": "agents.ledger.spooled",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: every module of the package runs this one, and most need none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'schemas.errors')}"), name)


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted(__all__)
