"""Publishes what becomes of an event: its outputs, or else its dead letter, and then its ledger record.

Every one has the trace context of the event, the headers of the record that SLUICE_PASS_HEADERS names, and, for a
replay, `replay_of`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Self, TypeAlias

from opentelemetry.context import Context

from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.publisher import Delivered, Publisher
from sluicegate.agents.kafka.schema_registry import wire_format_of
from sluicegate.agents.outcomes.dead_letter import make_dead_letter, shorten_dead_letter
from sluicegate.agents.outcomes.event import Event, milliseconds
from sluicegate.agents.outcomes.passed_headers import PassedHeaders
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry import Telemetry
from sluicegate.agents.time_budget import CLOSE_PUBLISHER_S
from sluicegate.schemas.codec import encode
from sluicegate.schemas.errors import PublishFailed
from sluicegate.schemas.events import LedgerRecord
from sluicegate.schemas.headers import REPLAY_OF, Header

Outputs: TypeAlias = Sequence[tuple[str, bytes]]
"""Names of topics (keys of `Settings.topics`) and encoded events."""


class OutcomePublisher:
    """Publishes for many events at once, on one event loop."""

    def __init__(self, settings: Settings, publisher: Publisher, telemetry: Telemetry) -> None:
        self._topics = settings.topics
        self._passed_headers = PassedHeaders(settings.passed_header_patterns)
        self._publisher = publisher
        self._telemetry = telemetry

    @classmethod
    @asynccontextmanager
    async def running(cls, settings: Settings, telemetry: Telemetry) -> AsyncIterator[Self]:
        """One with a producer of its own, which is flushed at the end of the block."""
        async with Publisher(
            Connection.of(settings),
            delivery_timeout_s=settings.publish_timeout_ms / 1000,
            flush_timeout_s=CLOSE_PUBLISHER_S,
            wire_format=await asyncio.to_thread(wire_format_of, settings),
        ) as publisher:
            yield cls(settings, publisher, telemetry)

    @property
    def can_publish(self) -> bool:
        """Whether the producer works: False after a fatal error."""
        return self._publisher.fatal is None

    async def publish(self, event: Event, outputs: Outputs, *, key: bytes | None = None) -> list[Delivered]:
        """Publish under `key`, else the record's key, else the event's id; returns once all are acknowledged.

        Raises:
            PublishFailed: the broker refused one, or did not acknowledge it in time.
        """
        started_ns = time.time_ns()
        key = key or event.record.key or event.stamp.event_id.encode()
        topics = [self._topics[name] for name, _ in outputs]
        with self._telemetry.publish_span(event.span, topics) as context:
            headers = self.headers(event, context)
            sent = [
                self._publisher.publish(topic, value, key=key, headers=headers)
                for topic, (_, value) in zip(topics, outputs, strict=True)
            ]
            delivered = await asyncio.gather(*sent)
        event.publish_ms = milliseconds(started_ns, time.time_ns())
        for name, value in outputs:
            self._telemetry.recent.published(name, value)
        return delivered

    async def publish_dead_letter(self, event: Event, error: Exception) -> list[Delivered]:
        """Publish the record as a dead letter that says why; shortened, if the broker refuses it as too large.

        Raises:
            PublishFailed: Kafka takes no dead letter: do not ack.
        """
        event.error = error
        event.span.keep()
        letter = make_dead_letter(event.record, error, event.stamp)
        try:
            return await self.publish(event, [("deadletter", encode(letter))])
        except PublishFailed as refusal:
            if not refusal.too_large:
                raise
        letter = shorten_dead_letter(letter)
        key = letter.key or event.stamp.event_id.encode()
        return await self.publish(event, [("deadletter", encode(letter))], key=key)

    async def publish_ledger_record(self, event: Event, entry: LedgerRecord) -> None:
        """Publish the audit record of the event under its id; returns once it is acknowledged.

        Raises:
            PublishFailed: the broker refused it, or did not acknowledge it in time: do not ack.
        """
        await self._publisher.publish(
            self._topics["ledger"],
            encode(entry),
            key=event.stamp.event_id.encode(),
            headers=self.headers(event, event.span.context),
        )

    def headers(self, event: Event, context: Context) -> list[Header]:
        """The headers of what is published for `event`, in the trace of `context`."""
        headers: list[Header] = [*self._telemetry.inject(context)]
        if event.origin.replay_of:
            headers.append((REPLAY_OF, event.origin.replay_of.encode()))
        headers += self._passed_headers.of(event.record.headers)
        return headers
