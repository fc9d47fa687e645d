"""Publishes the originals of a plan to their input topics, and counts what became of them."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.publisher import Delivered, Publisher
from sluicegate.agents.kafka.record import Record
from sluicegate.agents.kafka.record_log import RecordLog
from sluicegate.agents.replay.originals import GONE, CannotReplay, Original, original_of
from sluicegate.agents.replay.selection import Recorded
from sluicegate.agents.settings import Settings
from sluicegate.schemas.codec import event_id_of
from sluicegate.schemas.errors import PublishFailed

logger: Final = logging.getLogger(__name__)

TOO_LARGE: Final = "too large"
_LARGEST_BATCH: Final = 500


@dataclass(slots=True)
class Progress:
    """What has become of a plan so far."""

    replayed: int = 0
    """Acknowledged by the broker."""
    left_out: Counter[str] = field(default_factory=Counter)
    """How many were not published, by the reason."""
    without_id: int = 0
    """Published records without an `event_id` and without a signature: the worker gives them a new id."""
    resume: datetime | None = None
    """`--since` for the rest; None when nothing is left."""

    @property
    def handled(self) -> int:
        """How many events of the plan are done."""
        return self.replayed + self.left_out.total()


async def publish_originals(
    connection: Connection,
    settings: Settings,
    log: RecordLog,
    plan: Sequence[Recorded],
    progress: Progress,
    *,
    rate: float,
    show: Callable[[int, int], None],
) -> None:
    """Publish the originals of `plan` to their input topics, at most `rate` per second (0: no limit).

    `progress` is right at any time, also after an exception or a cancellation. `show` is called with the number of
    events that are done, and of all.

    Raises:
        BrokerUnavailable: the originals cannot be read.
        PublishFailed: the broker refused one, or did not acknowledge it in time.
    """
    batch_size = max(1, min(_LARGEST_BATCH, int(rate))) if rate else _LARGEST_BATCH
    timeout_s = settings.publish_timeout_ms / 1000
    secret = settings.replay_secret
    publisher = Publisher(
        connection,
        delivery_timeout_s=timeout_s,
        flush_timeout_s=timeout_s,
        client_id="sluicegate-replay",
        extra={"log_level": 0},  # the exceptions have the errors
    )
    limit = _RateLimit(rate)
    sent: list[asyncio.Future[Delivered]] = []
    try:
        async with publisher:
            for start in range(0, len(plan), batch_size):
                batch = plan[start : start + batch_size]
                progress.resume = batch[0].time
                found = await asyncio.to_thread(log.fetch, [event.at for event in batch])
                for event in batch:
                    if original := _rebuild(event, found.get(event.at), secret, progress):
                        await limit.wait()
                        key, value, headers = original
                        sent.append(publisher.publish(event.target(settings), value, key=key, headers=headers))
                if sent:
                    await asyncio.wait(sent)
                _count(sent, progress)
                show(progress.handled, len(plan))
            progress.resume = None
    finally:
        _count(sent, progress)


def _rebuild(event: Recorded, record: Record | None, secret: bytes | None, progress: Progress) -> Original | None:
    """The original of `event`; None, and counted, when it cannot be replayed."""
    try:
        original = original_of(event, record, secret)
    except CannotReplay as reason:
        progress.left_out[str(reason)] += 1
        if str(reason) != GONE:
            logger.warning("sluice: %s cannot be replayed: it is a record %s", event.source, reason)
        return None
    if not secret and event_id_of(original.value, original.headers) is None:
        progress.without_id += 1
    return original


def _count(sent: list[asyncio.Future[Delivered]], progress: Progress) -> None:
    """Empty `sent`, and count those that are done; raises the first failure that is not due to the record's size."""
    done = [future for future in sent if future.done() and not future.cancelled()]
    sent.clear()
    failures = [error for future in done if (error := future.exception())]
    progress.replayed += len(done) - len(failures)
    for error in failures:
        if not (isinstance(error, PublishFailed) and error.too_large):
            raise error
        progress.left_out[TOO_LARGE] += 1


class _RateLimit:
    """Lets `rate` turns per second pass, evenly."""

    def __init__(self, rate: float) -> None:
        self._interval_s = 1 / rate if rate else 0.0
        self._next = time.monotonic()

    async def wait(self) -> None:
        now = time.monotonic()
        if self._next > now:
            await asyncio.sleep(self._next - now)
        self._next = max(self._next, now) + self._interval_s
