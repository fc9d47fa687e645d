"""The thread of Faust's consumer, and what it adds to the aiokafka consumer inside.

Options that Faust does not pass on, passwords that are read for every connection, when the group's coordinator was last
heard, where partitions end, and the offsets at which reading went on after a position was out of range.

A broker should answer a fetch only once it has records, or after half a second. The embedded one answers at once, and
aiokafka asks again at once: an idle worker used two thirds of a core. Here a fetch that brings nothing in less than
`_PAUSE_S` is followed by a pause of that length.
"""

import asyncio
import time
from contextlib import suppress
from typing import Any, Final

from faust.transport.drivers import aiokafka
from faust.types import TP

from sluicegate.agents.kafka.partition_ends import PartitionEnd, PartitionEnds
from sluicegate.agents.kafka.record_batches import PartitionRecords
from sluicegate.agents.kafka.security import PasswordCredentials

MAX_FETCH_BYTES: Final = 16 * 1024 * 1024
"""Of one response of one broker, as stored. A first batch that is larger than these bounds is fetched whole."""

_PAUSE_S: Final = 0.01


class ConsumerThread(aiokafka.AIOKafkaConsumerThread):
    """The thread in which Faust runs aiokafka's consumer."""

    heard_at: float | None = None
    """When the group's coordinator last confirmed a heartbeat, or was sent the first, on the monotonic clock."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.reset_to: dict[Any, int] = {}
        """Partitions whose position was out of range, and the offset at which reading went on."""
        self._ends: PartitionEnds | None = None

    async def on_start(self) -> None:
        await super().on_start()
        consumer = self._ensure_consumer()
        self._watch_heartbeats(consumer._coordinator)
        leader_of = consumer._client.cluster.leader_for_partition
        self._ends = PartitionEnds(consumer.assignment, leader_of, consumer._fetcher._proc_offset_request)
        self.add_future(self._ends.follow())
        self._watch_resets(consumer._fetcher)
        _pause_after_empty_fetches(consumer._fetcher)

    def _watch_heartbeats(self, coordinator: Any) -> None:
        beat = coordinator._do_heartbeat

        async def do_heartbeat() -> bool:
            self.heard_at = self.heard_at or time.monotonic()
            confirmed = bool(await beat())
            if confirmed:
                self.heard_at = time.monotonic()
            return confirmed

        coordinator._do_heartbeat = do_heartbeat

    def _watch_resets(self, fetcher_: Any) -> None:
        ask = fetcher_._proc_offset_request

        async def proc_offset_request(*request: Any) -> Any:
            offsets = await ask(*request)
            self.reset_to.update({TP(*partition): offset for partition, (offset, _) in offsets.items()})
            return offsets

        fetcher_._proc_offset_request = proc_offset_request

    def end_of(self, partition: Any) -> PartitionEnd | None:
        """Where the partition ends, as far as Kafka has said."""
        return self._ends.of(partition) if self._ends else None

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # options of aiokafka that Faust does not pass on
        consumer._fetch_max_bytes = MAX_FETCH_BYTES
        if isinstance(credentials := self.app.conf.broker_credentials, PasswordCredentials):
            credentials.renew_in(consumer._client)
        return consumer

    async def _fetch_records(self, *args: Any, **options: Any) -> Any:
        PartitionRecords.begin_poll()
        return await super()._fetch_records(*args, **options)


def _pause_after_empty_fetches(fetcher: Any) -> None:
    fetch = fetcher._proc_fetch_request

    async def proc_fetch_request(*request: Any) -> bool:
        asked = time.monotonic()
        brought = bool(await fetch(*request))
        if not brought and time.monotonic() - asked < _PAUSE_S:
            with suppress(asyncio.CancelledError):  # as in aiokafka's own, whose end is awaited
                await asyncio.sleep(_PAUSE_S)
        return brought

    fetcher._proc_fetch_request = proc_fetch_request


ConsumerThread.logger = aiokafka.logger  # after the definition: Faust gives every class a logger of its module
