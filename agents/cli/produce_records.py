"""What ``sluice produce`` does: publish queries, or lines as they are, and print where each record is."""

import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sluicegate.agents.cli.streams import raw_queries
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.preflight import require_topics
from sluicegate.agents.kafka.publisher import Publisher
from sluicegate.agents.kafka.schema_registry import wire_format_of
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry.trace_context import inject, new_root, trace_id_of

_TOPICS_TIMEOUT_S: Final = 10.0


def produce_records(settings: Settings, queries: Sequence[str] | None) -> None:
    """Publish `queries`; if there are none, the lines of standard input unchanged, without empty lines.

    Queries are written as SLUICE_OUTPUT_FORMAT says.

    Raises:
        PublishFailed: the broker refused a record, or did not acknowledge it in time.
    """
    connection = Connection.of(settings)
    require_topics(connection, [settings.topic_raw], _TOPICS_TIMEOUT_S)
    values: Iterable[bytes] = sys.stdin.buffer if queries is None else raw_queries(queries)
    wire_format = wire_format_of(settings) if queries else {}
    asyncio.run(
        _produce(connection, settings, (value.rstrip(b"\r\n") for value in values if value.strip()), wire_format)
    )


async def _produce(
    connection: Connection, settings: Settings, values: Iterable[bytes], wire_format: Mapping[str, bytes]
) -> None:
    timeout_s = settings.publish_timeout_ms / 1000
    quiet = {"log_level": 0}  # the exceptions have the errors
    async with Publisher(
        connection, delivery_timeout_s=timeout_s, flush_timeout_s=timeout_s, extra=quiet, wire_format=wire_format
    ) as publisher:
        for value in values:
            context = new_root(sampled=True)
            at = await publisher.publish(settings.topic_raw, value, key=None, headers=inject(context))
            sys.stdout.write(f"{at.topic}-{at.partition}-{at.offset}  trace {trace_id_of(context)}\n")
