"""Makes the dead letter of a record that has no other outcome."""

from typing import Final

import msgspec
from msgspec.structs import replace

from sluicegate.agents.deciding.ledger_record import Stamp
from sluicegate.agents.kafka.record import Record
from sluicegate.schemas.codec import value_hash
from sluicegate.schemas.errors import FormatFailed, SchemaRefused
from sluicegate.schemas.events import DeadLetter, RecordHeader

_LONGEST_ERROR: Final = 1000
_LONGEST_PATH: Final = 4096
_LONGEST_KEYWORD: Final = 200
MAX_PART_BYTES: Final = 100_000
"""Largest key, and largest headers, in a dead letter that was refused as too large: Kafka's default limit is 1 MB."""


def make_dead_letter(record: Record, error: Exception, stamp: Stamp) -> DeadLetter:
    """The dead letter for `record`, all of it that could be read, that `error` stopped."""
    last_offset = record.unreadable.last_offset if record.unreadable else None
    about_schema = error if isinstance(error, SchemaRefused | FormatFailed) else None
    return DeadLetter(
        **stamp.fields(),
        error_type=type(error).__name__,
        error=str(error)[:_LONGEST_ERROR] or type(error).__name__,
        source=record.position,
        key=record.key,
        value=record.value,
        headers=[_record_header(name, value) for name, value in record.headers],
        value_omitted=last_offset is not None,
        last_offset=last_offset,
        error_path=(about_schema.path or "")[:_LONGEST_PATH] or None if about_schema else None,
        error_keyword=(about_schema.keyword or "")[:_LONGEST_KEYWORD] or None if about_schema else None,
    )


def shorten_dead_letter(letter: DeadLetter) -> DeadLetter:
    """`letter` for a topic that refuses it as too large: without its value, and no part above MAX_PART_BYTES."""
    letter = replace(letter, value=None, value_omitted=True, input_hash=value_hash(letter.value))
    if len(msgspec.json.encode(letter.headers)) > MAX_PART_BYTES:
        letter = replace(letter, headers=[], headers_omitted=True)
    if len(letter.key or b"") > MAX_PART_BYTES:
        letter = replace(letter, key=None, key_omitted=True)
    return letter


def _record_header(name: str, value: bytes | None) -> RecordHeader:
    """The header; `name` may hold surrogate escapes, in place of bytes that are not UTF-8."""
    raw = name.encode(errors="surrogateescape")
    shown = raw.decode(errors="backslashreplace")
    return RecordHeader(name=shown, value=value, name_bytes=None if shown == name else raw)
