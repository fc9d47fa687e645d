"""What the commands of ``sluice spool`` do."""

import asyncio
import signal
import sys
from base64 import b64encode
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from sluicegate.agents.cli.progress import show_progress
from sluicegate.agents.cli.record_lines import embedded, escape_invisible
from sluicegate.agents.cli.streams import exit_on_sigterm
from sluicegate.agents.cli.table_console import table_console
from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.preflight import require_topics
from sluicegate.agents.kafka.schema_registry import wire_format_of
from sluicegate.agents.settings import Settings
from sluicegate.agents.spool import Spool, SpoolStatistics, StoredRecord
from sluicegate.agents.spool.reading import read_all
from sluicegate.agents.spool.syncing import SyncProgress, publish_all
from sluicegate.schemas.errors import ContractError

_TOPICS_TIMEOUT_S = 10.0


def print_statistics(statistics: SpoolStatistics, *, as_json: bool) -> None:
    """Print what waits in a spool, as a table or as one JSON object."""
    if as_json:
        document = orjson.dumps(msgspec.to_builtins(statistics), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        sys.stdout.write(document.decode())
        return
    numbers = (Column(name, justify="right") for name in ("records", "bytes", "oldest"))
    table = Table(Column("topic", overflow="fold"), *numbers, box=SIMPLE_HEAD)
    for topic in statistics.topics:
        table.add_row(escape(topic.topic), str(topic.records), str(topic.bytes), _age(topic.oldest_age_s))
    console = table_console()
    if statistics.topics:
        console.print(table)
    console.print(
        f"{statistics.records} records in {statistics.bytes} bytes; {statistics.dropped} were dropped to make room",
        highlight=False,
        soft_wrap=True,
    )


def write_records(path: Path) -> int:
    """Write the records of the spool at `path` to standard output; returns how many are damaged and left out.

    Raises:
        SpoolFailed: it cannot be read.
        OSError: standard output cannot be written to.
    """
    damaged = 0
    for stored in read_all(path):
        if stored.intact:
            sys.stdout.buffer.write(_line(stored))
        else:
            damaged += 1
    return damaged


def sync(settings: Settings) -> None:
    """Publish what waits in the spool of `settings`. Prints what became of it, also after an error or Ctrl-C.

    Raises:
        BrokerUnavailable: the cluster cannot be reached, or did not take a record.
        ConfigurationError: a topic is missing, or no spool is set.
        ContractError: records are too large or damaged; the others are published.
        SpoolFailed: the spool cannot be used, or another process publishes it.
    """
    progress = SyncProgress()
    exit_on_sigterm()
    with Spool.open(settings, role="publish") as spool:
        waiting = spool.statistics()
        connection = Connection.of(settings)
        timeout_s = settings.publish_timeout_ms / 1000
        require_topics(connection, {topic.topic for topic in waiting.topics}, _TOPICS_TIMEOUT_S)
        wire_format = wire_format_of(settings)
        try:
            with show_progress("publishing") as show:
                publishing = publish_all(
                    spool, connection, progress, timeout_s=timeout_s, show=show, wire_format=wire_format
                )
                asyncio.run(_until_sigterm(publishing))
        except asyncio.CancelledError:
            sys.exit(128 + signal.SIGTERM)
        finally:
            left = spool.statistics().records
            Console().print(f"{progress.published} published; {left} left", highlight=False)
    if progress.too_large or progress.damaged:
        reason = f"; {progress.too_large[0]}" if progress.too_large else ""
        raise ContractError(
            f"{len(progress.too_large)} records are too large and {progress.damaged} are damaged: they stay{reason}"
        )


async def _until_sigterm(work: Coroutine[None, None, None]) -> None:
    """Do `work`. SIGTERM cancels it as Ctrl-C does: where it waits, never between an acknowledgement and its commit."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task


def _line(stored: StoredRecord) -> bytes:
    record = stored.record
    added = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=stored.added_ms)
    document = {
        "topic": record.topic,
        "id": record.id,
        "added": added.isoformat(timespec="milliseconds"),
        **_text_or_base64("key", record.key),
        "headers": {name: (value or b"").decode(errors="replace") for name, value in record.headers},
        **_text_or_base64("value", record.value),
    }
    return escape_invisible(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))


def _text_or_base64(name: str, value: bytes | None) -> dict[str, object]:
    if value is None:
        return {name: None}
    if name == "value" and (fragment := embedded(value)):
        return {name: fragment}
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": b64encode(value).decode()}


def _age(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
