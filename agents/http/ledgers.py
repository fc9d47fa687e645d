"""Where the HTTP API keeps the audit records of its decisions, as SLUICE_HTTP_LEDGER says."""

import asyncio

from opentelemetry.metrics import Meter

from sluicegate.agents.ledger import Ledger
from sluicegate.agents.ledger.json_lines import JsonLinesLedger
from sluicegate.agents.ledger.spooled import SpoolLedger
from sluicegate.agents.settings import Settings


def ledger_of(settings: Settings, meter: Meter | None = None) -> Ledger | None:
    """The ledger that the setting names, with its metrics made from `meter`; None: no records are kept."""
    kind, _, path = (settings.http_ledger or "").partition(":")
    match kind:
        case "file":
            return JsonLinesLedger(path)
        case "spool":
            return SpoolLedger(path, meter=meter)
        case "kafka":
            from sluicegate.agents.ledger.published import KafkaLedger  # `sluice serve` needs no Kafka otherwise

            return KafkaLedger()
        case _:
            return None


def check_ledger(settings: Settings) -> None:
    """Open the ledger once and close it, so that a wrong setting ends the start before the model is loaded.

    Call it before there is an event loop.

    Raises:
        ConfigurationError: it cannot be opened.
        SpoolFailed: it is a spool that cannot be opened, or that another process has open.
    """
    ledger = ledger_of(settings)
    if ledger is None:
        return

    async def check() -> None:
        try:
            await ledger.open(settings)
        finally:
            await ledger.close()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:  # leaves the loop of the process unset
        runner.run(check())
