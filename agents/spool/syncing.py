"""Publishes what waits in a spool, and deletes each record once the broker has it.

    oldest records ──► publisher ──► broker
          ▲                            │ acknowledgement of all in-sync replicas
          └────── delete, commit ◄─────┘

* A record is deleted after its acknowledgement only: nothing is lost.
* The producer is idempotent: its own retries make no duplicates.
* Stopped by Ctrl-C or SIGTERM, it waits for the acknowledgements that are missing and deletes those records too:
  nothing is published twice.
* Killed with -9, or without power, it cannot know which of the last records the broker has. The next run publishes them
  again: at most `WINDOW`, because no more are on their way at any time. Each has its id in the header `event_id`.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.publisher import Delivered, Publisher
from sluicegate.agents.spool.record import StoredRecord
from sluicegate.agents.spool.store import Spool
from sluicegate.schemas.errors import BrokerUnavailable, PublishFailed
from sluicegate.schemas.headers import EVENT_ID

WINDOW: Final = 256
"""Records that are published and not yet deleted, at most."""
_STAYS: Final = "what was not published stays in the spool: run the command again"


@dataclass(slots=True)
class SyncProgress:
    """What has become of the records so far."""

    published: int = 0
    """Acknowledged by the broker, and deleted."""
    too_large: list[str] = field(default_factory=list)
    """What the broker refuses as too large, one line each; it stays in the spool."""
    suspects: list[int] = field(default_factory=list)
    """Numbers of records that were refused as too large together with others of their batch."""
    damaged: int = 0
    """Records whose checksum is wrong; they stay in the spool."""


async def publish_all(
    spool: Spool,
    connection: Connection,
    progress: SyncProgress,
    *,
    timeout_s: float,
    show: Callable[[int, int], None],
    wire_format: Mapping[str, bytes] | None = None,
) -> None:
    """Publish every record of `spool`, in their order, until none is left. `progress` is right at any time.

    `timeout_s`: how long the broker may take to acknowledge a record. `show` is called with the number of records that
    are published, and of all. `wire_format`: what comes before every value, by topic.

    Raises:
        BrokerUnavailable: the broker did not take a record; it stays, and all after it.
        SpoolFailed: the spool cannot be read, or not be deleted from.
    """
    total = spool.statistics().records
    sent: dict[asyncio.Future[Delivered], int] = {}
    publisher = Publisher(
        connection,
        delivery_timeout_s=timeout_s,
        flush_timeout_s=timeout_s,
        client_id="sluicegate-spool",
        extra={"log_level": 0},  # the exceptions have the errors
        wire_format=wire_format,
    )
    last = 0
    try:
        async with publisher:
            while True:
                for stored in spool.oldest(WINDOW - len(sent), after=last) if len(sent) <= WINDOW // 2 else ():
                    last = stored.number
                    if stored.intact:
                        sent[_publish(publisher, stored)] = stored.number
                    else:
                        progress.damaged += 1
                if not sent:
                    break
                await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
                _settle(spool, sent, progress)
                show(progress.published, max(total, progress.published + len(sent)))
            await _publish_alone(spool, publisher, progress)
    finally:
        _settle(spool, sent, progress)


def _publish(publisher: Publisher, stored: StoredRecord) -> asyncio.Future[Delivered]:
    record = stored.record
    headers = [*record.headers, (EVENT_ID, record.id.encode())]
    return publisher.publish(record.topic, record.value, key=record.key, headers=headers)


async def _publish_alone(spool: Spool, publisher: Publisher, progress: SyncProgress) -> None:
    """Publish the suspects one at a time: a broker refuses a whole batch for one record in it."""
    for number in progress.suspects:
        for stored in spool.oldest(1, after=number - 1):
            if stored.number != number:  # it was dropped meanwhile
                continue
            try:
                await _publish(publisher, stored)
            except PublishFailed as error:
                if not error.too_large:
                    raise BrokerUnavailable(f"{error}; {_STAYS}") from None
                progress.too_large.append(str(error))
            else:
                spool.delete([number])
                progress.published += 1


def _settle(spool: Spool, sent: dict[asyncio.Future[Delivered], int], progress: SyncProgress) -> None:
    """Take what is done out of `sent`, and delete what the broker has acknowledged. Raises the first failure."""
    failure: BaseException | None = None
    done = [future for future in sent if future.done()]
    acknowledged = [sent[future] for future in done if not future.cancelled() and not future.exception()]
    if acknowledged:
        spool.delete(acknowledged)
        progress.published += len(acknowledged)
    for future in done:
        error = None if future.cancelled() else future.exception()
        if isinstance(error, PublishFailed) and error.too_large:
            progress.suspects.append(sent[future])
        elif error:
            failure = error
        del sent[future]
    if failure:
        raise BrokerUnavailable(f"{failure}; {_STAYS}")
