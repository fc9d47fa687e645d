"""The ledger as a topic of Kafka."""

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from typing import Final

from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.publisher import Delivered, Publisher
from sluicegate.agents.kafka.schema_registry import wire_format_of
from sluicegate.agents.ledger.ledger import LedgerEntry
from sluicegate.agents.settings import Settings
from sluicegate.schemas.errors import LedgerFailed

logger = logging.getLogger(__name__)

_MOST_UNDER_WAY: Final = 10_000
_SILENCE_S: Final = 60.0


class KafkaLedger:
    """Audit records on the ledger's topic, of the cluster that the settings name (`SLUICE_BOOTSTRAP_SERVERS`).

    `decide` does not wait for the broker. A record is lost if the process is killed, or if the broker does not
    acknowledge it within `SLUICE_PUBLISH_TIMEOUT_MS`: `lost` counts those, and the log says so. Closing the gate waits
    for the acknowledgements that are missing. Where no record may be lost, use a `SpoolLedger`.
    """

    def __init__(self) -> None:
        self.lost = 0
        """Records that the broker has not acknowledged in time."""
        self._stack = AsyncExitStack()
        self._silent_until = 0.0
        self._publisher: Publisher | None = None

    async def open(self, settings: Settings) -> None:
        """Start the producer. It does not wait for the broker.

        Raises:
            ConfigurationError: TLS or the login is wrong, or the schema registry refuses us.
            SchemaRegistryUnavailable: SLUICE_OUTPUT_FORMAT asks for one that cannot be reached.
        """
        timeout_s = settings.publish_timeout_ms / 1000
        publisher = Publisher(
            Connection.of(settings),
            delivery_timeout_s=timeout_s,
            flush_timeout_s=timeout_s,
            client_id="sluicegate-gate",
            extra={"log_level": 0},  # the warning below says it once a minute
            wire_format=await asyncio.to_thread(wire_format_of, settings),
        )
        self._topic = settings.topic_ledger
        self._publisher = await self._stack.enter_async_context(publisher)

    async def write(self, entry: LedgerEntry) -> None:
        """Hand a record to the producer.

        Raises:
            LedgerFailed: too many wait for the broker already.
        """
        if self._publisher is None:
            raise LedgerFailed("the ledger is not open")
        if self._publisher.outstanding >= _MOST_UNDER_WAY:
            self._lost("too many records wait for the broker")
            raise LedgerFailed(f"{_MOST_UNDER_WAY} audit records wait for the broker already")
        key = entry.event_id.encode()
        self._publisher.publish(self._topic, entry.value, key=key, headers=entry.headers).add_done_callback(self._done)

    async def close(self) -> None:
        """Wait for the acknowledgements that are missing, up to `SLUICE_PUBLISH_TIMEOUT_MS`."""
        await self._stack.aclose()
        await asyncio.sleep(0)  # the callbacks of the last ones
        self._publisher = None

    def _done(self, published: "asyncio.Future[Delivered]") -> None:
        if not published.cancelled() and (error := published.exception()):
            self._lost(str(error))

    def _lost(self, reason: str) -> None:
        self.lost += 1
        if time.monotonic() >= self._silent_until:
            self._silent_until = time.monotonic() + _SILENCE_S
            logger.warning("an audit record is lost, %d so far: %s", self.lost, reason)
