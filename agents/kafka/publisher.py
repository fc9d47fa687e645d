"""Publishing to Kafka from asyncio: `await publisher.publish(...)` returns once every in-sync replica has the record.

    publish() ──► librdkafka's queue ──► broker
        ▲                                  │ acknowledgement
        │ futures, a batch at a time       ▼
    event loop ◄── call_soon_threadsafe ── the thread "sluicegate-publisher", the only one that polls

confluent_kafka's own asyncio producer refuses headers (2.16), and traces travel in them.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Self, TypeAlias

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from sluicegate.agents.kafka.connection import Connection
from sluicegate.schemas.errors import PublishFailed

logger = logging.getLogger(__name__)

POLL_S = 0.1
"""How long one poll waits for events of librdkafka, and so how late the thread notices that the publisher closes."""

LOGIN_CHECK_S = 1.0
"""How often the polling thread looks for a new password."""

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""The client's own limit: far above a topic's usual 1 MiB, so that the topic's limit decides."""

_REMEDIES = {
    KafkaError._FATAL: "restart the worker",
    KafkaError.MSG_SIZE_TOO_LARGE: "raise the topic's max.message.bytes",
    KafkaError._MSG_TIMED_OUT: "check that the brokers are up and not overloaded",
    KafkaError._UNKNOWN_TOPIC: "create it with `sluice topics create`",
    KafkaError._UNKNOWN_PARTITION: "create it with `sluice topics create`",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "create it with `sluice topics create`",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "allow this client to write to it",
    KafkaError.NOT_ENOUGH_REPLICAS: "bring the missing replicas back",
}


class Delivered(msgspec.Struct, frozen=True, gc=False):
    """Where the broker put a record."""

    topic: str
    partition: int
    offset: int


class _Outgoing(msgspec.Struct, frozen=True):
    topic: str
    value: bytes | None
    key: bytes | None
    headers: list[tuple[str, str | bytes | None]]

    @property
    def size(self) -> int:
        return len(self.value or b"") + len(self.key or b"")


_Report: TypeAlias = tuple[asyncio.Future[Delivered], int, KafkaError | None, Message]


class Publisher:
    """An idempotent producer whose every publish can be awaited.

    Records are sent in the order of the calls to `publish`, also if they had to wait because the queue was full.
    Records with one key go to one partition, the same that Java clients choose. Use it on one event loop, in an
    `async with` block: the end of the block waits for the acknowledgements that are still missing.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        delivery_timeout_s: float,
        flush_timeout_s: float,
        client_id: str = "sluicegate",
        extra: Mapping[str, str | float] | None = None,
        wire_format: Mapping[str, bytes] | None = None,
    ) -> None:
        """Make a publisher; the `async with` block starts it.

        `delivery_timeout_s`: from `publish` to its failure, retries included. `flush_timeout_s`: how long the end of
        the block waits for acknowledgements. `extra`: more librdkafka settings. `wire_format`: what
        comes before every value, by topic.
        """
        self.fatal: Exception | None = None
        """Set once the producer has lost its idempotence and can never publish again: the worker is then not ready."""
        self._connection = connection
        self._login = connection.password_login
        self._login_checked_at = time.monotonic()
        self._delivery_timeout_s = delivery_timeout_s
        self._flush_timeout_s = flush_timeout_s
        self._settings: dict[str, str | float] = {
            **connection.librdkafka(),
            "client.id": client_id,
            "enable.idempotence": "true",
            "acks": "all",
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "linger.ms": 0.2,  # one batch for an event's outputs; 1 delays each acknowledgement by a millisecond
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "delivery.timeout.ms": int(delivery_timeout_s * 1000),
            "reconnect.backoff.max.ms": 1000,  # the default of 10 s can outlast the delivery timeout
            "topic.metadata.propagation.max.ms": 2000,  # name a missing topic; with 30 s it is just "timed out"
            **(extra or {}),
        }
        self._wire_format = wire_format or {}
        self._pending: set[asyncio.Future[Delivered]] = set()
        self._reports: list[_Report] = []
        self._turn = asyncio.Lock()
        self._waiting: set[asyncio.Task[Delivered]] = set()
        self._space = asyncio.Event()
        self._close_at: float | None = None
        self._ended = asyncio.Event()

    @property
    def outstanding(self) -> int:
        """How many records were handed over and are neither acknowledged nor failed."""
        return len(self._pending)

    async def __aenter__(self) -> Self:
        """Start the polling thread. It does not wait for the broker: records do, each up to its timeout."""
        self._loop = asyncio.get_running_loop()
        self._producer = Producer(self._settings, logger=logger)
        self._thread = threading.Thread(target=self._poll_until_closed, name="sluicegate-publisher", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Wait up to `flush_timeout_s` for the missing acknowledgements, then fail the rest with PublishFailed.

        Publishes that wait for space in the queue, and later ones, fail at once. Every caller gets an answer.
        """
        self._close_at = time.monotonic() + self._flush_timeout_s
        self._space.set()
        await self._ended.wait()
        for future in self._pending:
            if not future.done():
                future.set_exception(PublishFailed("the publisher closed before the broker acknowledged"))
        self._pending.clear()

    def publish(
        self, topic: str, value: bytes | None, *, key: bytes | None, headers: Sequence[tuple[str, bytes | None]]
    ) -> asyncio.Future[Delivered]:
        """Publish one record. The future is its place, once all in-sync replicas have it, or raises PublishFailed.

        The record is handed to librdkafka before this returns, unless the queue is full: then it waits for space.
        Cancelling the future ends the wait. A record that was handed over may still be delivered.
        """
        if value is not None and (before := self._wire_format.get(topic)):
            value = before + value
        record = _Outgoing(topic, value, key, [*headers])
        if not self._waiting and (handed_over := self._hand_over(record)):
            return handed_over
        waiting = self._loop.create_task(self._publish_when_there_is_space(record))
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)
        return waiting

    async def _publish_when_there_is_space(self, record: _Outgoing) -> Delivered:
        async with self._turn:  # in the order of the calls
            while (handed_over := self._hand_over(record)) is None:
                self._space.clear()
                await self._space.wait()
        return await handed_over

    def _hand_over(self, record: _Outgoing) -> asyncio.Future[Delivered] | None:
        """The future of `record`'s delivery; None if the queue is full."""
        future: asyncio.Future[Delivered] = self._loop.create_future()
        report = partial(self._reported, future, record.size)
        if self._close_at is not None:
            future.set_exception(PublishFailed(f"cannot publish to {record.topic}: the publisher is closed"))
            return future
        try:
            self._producer.produce(record.topic, record.value, record.key, on_delivery=report, headers=record.headers)
        except BufferError:
            return None
        except KafkaException as error:
            future.set_exception(self._failure(record.topic, record.size, error.args[0]))
            return future
        self._pending.add(future)
        return future

    def _reported(
        self, future: asyncio.Future[Delivered], size: int, error: KafkaError | None, message: Message
    ) -> None:
        self._reports.append((future, size, error, message))  # in the polling thread

    def _poll_until_closed(self) -> None:
        while self._close_at is None or (len(self._producer) and time.monotonic() < self._close_at):
            self._poll(POLL_S)
            self._take_new_password()
        self._producer.purge()  # reports what is still queued or in flight as failed
        while len(self._producer):
            self._poll(POLL_S)
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._ended.set)

    def _take_new_password(self) -> None:
        """Give a rotated password to the producer, for its next connections."""
        now = time.monotonic()
        if self._login is None or now - self._login_checked_at < LOGIN_CHECK_S:
            return
        self._login_checked_at = now
        try:
            login = self._connection.password_login
        except OSError:  # the file is being replaced: look again later
            return
        if login and login[1] and login != self._login:
            self._login = login
            self._producer.set_sasl_credentials(*login)
            logger.info("the password of Kafka user %s has changed; new connections use it", login[0])

    def _poll(self, timeout_s: float) -> None:
        try:
            self._producer.poll(timeout_s)
        except KafkaException as error:  # this is how the library reports a fatal error
            self.fatal = error
            logger.critical("the producer can no longer publish: %s", error.args[0])
        if self._reports:
            reports, self._reports = self._reports, []
            try:
                self._loop.call_soon_threadsafe(self._settle, reports)
            except RuntimeError:  # the loop is closed
                logger.warning("%d delivery reports came after the event loop had closed", len(reports))

    def _settle(self, reports: list[_Report]) -> None:
        for future, size, error, message in reports:
            self._pending.discard(future)
            if future.done():  # cancelled by its caller
                continue
            topic, partition, offset = message.topic() or "", message.partition(), message.offset()
            if error is None and partition is not None and offset is not None:
                future.set_result(Delivered(topic, partition, offset))
            else:
                future.set_exception(self._failure(topic, size, error))
        self._space.set()

    def _failure(self, topic: str, size: int, error: KafkaError | None) -> PublishFailed:
        code, reason = (error.code(), error.str()) if error else (None, "no acknowledgement")
        if code == KafkaError._MSG_TIMED_OUT:
            reason = f"{self._connection.servers} did not acknowledge within {self._delivery_timeout_s:g} s"
        remedy = f"; {_REMEDIES[code]}" if code in _REMEDIES else ""
        too_large = code == KafkaError.MSG_SIZE_TOO_LARGE
        return PublishFailed(f"cannot publish {size} bytes to {topic}: {reason}{remedy}", too_large=too_large)
