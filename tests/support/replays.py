"""What tests of `sluice replay` share: inputs, ledger records of their decisions, and what a replay published."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson
import pytest
from confluent_kafka import Message
from typer.testing import CliRunner

from sluicegate.agents.cli.app import app
from sluicegate.schemas.codec import encode
from sluicegate.schemas.events import LedgerRecord, Position, StageLatencies, Tokens
from tests.support.kafka_client import Record, produce_all
from tests.support.kafka_cluster import available
from tests.support.worker_process import Stream

KEY = "correct-horse-battery"
"""What `replay` signs with."""
on_one_kind = pytest.mark.parametrize("broker", ["embedded" if available() else "apache"], indirect=True)
"""One kind of broker, the real one where it can be had: what differs between them is tested elsewhere."""


def replay(stream: Stream, *arguments: str) -> str:
    """The output of the command, which must succeed. It runs in this process: a new one takes seconds to start."""
    environment = {**stream.environment, "COLUMNS": "200", "SLUICE_REPLAY_KEY": KEY}
    finished = CliRunner().invoke(app, ["replay", *arguments], env=environment)
    assert (finished.exit_code, finished.stderr) == (0, ""), finished.exception
    return finished.stdout


def query(number: int, **more: object) -> Record:
    return None, orjson.dumps({"query": f"red shoes size {number}", **more}), []


def position_of(message: Message) -> Position:
    return Position(topic=message.topic() or "", partition=message.partition() or 0, offset=message.offset() or 0)


def position(message: Message) -> str:
    return str(position_of(message))


def original_of(message: Message) -> str | None:
    """The position of the record that this one replays, or None."""
    return {name: (value or b"").decode(errors="replace") for name, value in headers_of(message)}.get("replay_of")


def headers_of(message: Message) -> list[tuple[str, bytes | None]]:
    return list(message.headers() or ())  # type: ignore[arg-type]  # the stubs are wider


def replays(stream: Stream) -> list[Message]:
    return [message for message in stream.inputs() if original_of(message)]


def entry(number: int, source: Message | Position, **more: Any) -> bytes:
    """The ledger record of event `number`, decided from `source`."""
    if not isinstance(source, Position):
        source = position_of(source)
    at = datetime.now(UTC)
    record = LedgerRecord(
        event_id=f"event-{number}",
        event_time=at,
        processing_time=at,
        model_version="m@1",
        prompt_version="p",
        source=source,
        outcome="blocked",
        outputs=[],
        trace_id="0" * 32,
        labels_version="l",
        prompt_hash=None,
        output_hash=None,
        tokens=Tokens(input=0, output=0),
        latency_ms=StageLatencies(total=1),
        decision=None,
        validation="valid",
    )
    return encode(msgspec.structs.replace(record, **more))


def anew(replayed: Message) -> bytes:
    """The ledger record of the decision about a replayed record."""
    number = int(orjson.loads(replayed.value() or b"")["event_id"][6:])
    return entry(number, replayed, replay_of=original_of(replayed))


def write_ledger(stream: Stream, entries: Sequence[bytes]) -> None:
    """Write ledger records; those of one event go to one partition, as the worker's do."""
    keyed: list[Record] = [(orjson.loads(value)["event_id"].encode(), value, []) for value in entries]
    produce_all(stream.bootstrap_servers, stream.topics["ledger"], keyed)


def produced(stream: Stream, count: int) -> list[Message]:
    """`count` inputs, event 0 first."""
    stream.produce([query(number, event_id=f"event-{number}") for number in range(count)])
    return by_id(stream)


def by_id(stream: Stream) -> list[Message]:
    return sorted(stream.inputs(), key=lambda message: int(orjson.loads(message.value() or b"")["event_id"][6:]))


def replayed_ids(stream: Stream) -> list[str]:
    return sorted(orjson.loads(message.value() or b"")["event_id"] for message in replays(stream))
