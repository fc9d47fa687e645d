"""``sluice produce`` and ``sluice tail``: a producer and a consumer for people."""

import asyncio
import sys
from collections.abc import Iterable, Sequence

import orjson
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, Message, TopicPartition

from sluicegate.agents.cli.streams import raw_queries
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.preflight import require_topics
from sluicegate.agents.kafka.publisher import Publisher
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry.trace_context import inject, new_root, trace_id_of
from sluicegate.schemas.errors import ConfigurationError

_TOPICS_TIMEOUT_S = 10.0
_OUTPUTS = ("recall", "ranking", "blocked", "review", "deadletter", "ledger")


def produce_records(settings: Settings, queries: Sequence[str] | None) -> None:
    """Publish `queries`, or the lines of standard input as they are when there are none."""
    connection = Connection.of(settings)
    require_topics(connection, [settings.topic_raw], _TOPICS_TIMEOUT_S)
    values: Iterable[bytes] = sys.stdin.buffer if queries is None else raw_queries(queries)
    asyncio.run(_produce(connection, settings, (value.rstrip(b"\r\n") for value in values)))


async def _produce(connection: Connection, settings: Settings, values: Iterable[bytes]) -> None:
    timeout_s = settings.publish_timeout_ms / 1000
    async with Publisher(connection, delivery_timeout_s=timeout_s, flush_timeout_s=timeout_s) as publisher:
        for value in values:
            context = new_root(sampled=True)
            at = await publisher.publish(settings.topic_raw, value, key=None, headers=inject(context))
            sys.stdout.write(f"{at.topic}-{at.partition}-{at.offset}  trace {trace_id_of(context)}\n")


def tail_topics(settings: Settings, names: Sequence[str] | None, *, from_beginning: bool) -> None:
    """Print records of the events called `names` (all outputs when None) as they come, until interrupted."""
    unknown = set(names or ()) - set(settings.topics)
    if unknown:
        raise ConfigurationError(f"no event is called {', '.join(sorted(unknown))}: use {', '.join(settings.topics)}")
    topics = [settings.topics[name] for name in names or _OUTPUTS]
    connection = Connection.of(settings)
    require_topics(connection, topics, _TOPICS_TIMEOUT_S)

    def tell(error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            sys.stderr.write(f"sluice: {connection.servers} does not answer; waiting for it\n")

    start = OFFSET_BEGINNING if from_beginning else OFFSET_END
    consumer = Consumer(
        {
            **connection.librdkafka(),
            "group.id": "sluice-tail",
            "enable.auto.commit": False,
            "log_level": 0,
            "error_cb": tell,
        }
    )
    metadata = consumer.list_topics(timeout=_TOPICS_TIMEOUT_S)
    consumer.assign(
        [TopicPartition(topic, partition, start) for topic in topics for partition in metadata.topics[topic].partitions]
    )
    try:
        while True:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                sys.stdout.buffer.write(_line(message))
                sys.stdout.buffer.flush()
    finally:
        consumer.close()


def _line(message: Message) -> bytes:
    value = message.value() or b"null"
    pairs: list[tuple[str, bytes | None]] = list(message.headers() or ())  # type: ignore[arg-type]  # the stubs are wider
    headers = {name: (raw or b"").decode(errors="replace") for name, raw in pairs}
    return orjson.dumps(
        {
            "topic": message.topic(),
            "partition": message.partition(),
            "offset": message.offset(),
            "headers": headers,
            "value": orjson.Fragment(value) if _is_json(value) else value.decode(errors="replace"),
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def _is_json(value: bytes) -> bool:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True
