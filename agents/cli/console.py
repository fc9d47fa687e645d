"""``sluice produce`` and ``sluice tail``: a producer and a consumer for people."""

import asyncio
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Final

import orjson
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from sluicegate.agents.cli.streams import raw_queries
from sluicegate.agents.kafka.cluster import Cluster, kafka_error
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.preflight import require_topics
from sluicegate.agents.kafka.publisher import Publisher
from sluicegate.agents.kafka.record import Record
from sluicegate.agents.kafka.record_log import record_of
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry.trace_context import inject, new_root, trace_id_of
from sluicegate.schemas.errors import BrokerUnavailable, ConfigurationError

_TOPICS_TIMEOUT_S: Final = 10.0
_OUTPUTS: Final = ("recall", "ranking", "blocked", "review", "deadletter", "ledger")
_ENDS_TAIL: Final = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED}
_INVISIBLE: Final = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""What JSON allows in a string and a terminal may obey: control codes of C1, and what reorders or hides text."""
_LAYOUT: Final = bytes.maketrans(b"\t\n\r", b"   ")


def produce_records(settings: Settings, queries: Sequence[str] | None) -> None:
    """Publish `queries`; if there are none, the lines of standard input unchanged.

    Raises:
        PublishFailed: the broker refused a record, or did not acknowledge it in time.
    """
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
    """Print the records of the events called `names` (all outputs when None) as they arrive, until interrupted.

    Raises:
        BrokerUnavailable: the cluster cannot be reached, or a topic is deleted or forbidden meanwhile.
        ConfigurationError: there is no such event, or no such topic.
    """
    unknown = set(names or ()) - set(settings.topics)
    if unknown:
        raise ConfigurationError(f"no event is called {', '.join(sorted(unknown))}: use {', '.join(settings.topics)}")
    topics = [settings.topics[name] for name in names or _OUTPUTS]
    connection = Connection.of(settings)
    cluster = Cluster(connection)
    metadata = cluster.metadata(_TOPICS_TIMEOUT_S)
    cluster.refuse_missing(metadata, topics)
    start = OFFSET_BEGINNING if from_beginning else OFFSET_END
    partitions = [
        TopicPartition(topic, number, start) for topic in topics for number in metadata.topics[topic].partitions
    ]

    def warn(error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            sys.stderr.write(f"sluice: {connection.servers} does not answer; waiting for it\n")

    consumer = Consumer(
        {
            **connection.librdkafka(),
            "group.id": "sluice-tail",
            "enable.auto.commit": False,
            "log_level": 0,
            "error_cb": warn,
        }
    )
    try:
        consumer.assign(partitions)
        while True:
            message = consumer.poll(0.5)
            if message is None:
                continue
            error = message.error()
            if error is None:
                sys.stdout.buffer.write(line_of(record_of(message)))
                sys.stdout.buffer.flush()
            elif error.code() in _ENDS_TAIL:
                raise BrokerUnavailable(f"cannot read {message.topic()} any more: {error.str()}")
    except KafkaException as error:
        raise BrokerUnavailable(
            f"cannot read from Kafka at {connection.servers}: {kafka_error(error).str()}"
        ) from error
    finally:
        consumer.close()


def line_of(record: Record) -> bytes:
    """`record` as one line of JSON that a terminal shows and does not obey."""
    value = record.value or b"null"
    line = orjson.dumps(
        {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "headers": {name: (raw or b"").decode(errors="replace") for name, raw in record.headers},
            **({"unreadable": record.unreadable.reason} if record.unreadable else {}),
            # The tabs and line breaks of JSON are layout: inside a string they are escaped.
            "value": orjson.Fragment(value.translate(_LAYOUT)) if _is_json(value) else value.decode(errors="replace"),
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )
    return _INVISIBLE.sub(_escaped, line.decode()).encode()


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _is_json(value: bytes) -> bool:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True
