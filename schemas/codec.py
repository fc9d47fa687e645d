"""Bytes to events and back: orjson does the JSON, msgspec the validation, one pass each way."""

from datetime import UTC
from hashlib import sha256

import msgspec
import orjson

from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import EventId, OutputEvent, RawQuery


def decode_raw_query(value: bytes | None) -> RawQuery:
    """The raw query in a record's value.

    Raises:
        ContractError: no value (a tombstone), broken UTF-8 or JSON, or a field of the wrong type or size; names it.
    """
    if value is None:
        raise ContractError("the record has no value (a tombstone): send a JSON object with a `query`")
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise ContractError(f"not JSON: {error}") from None
    try:
        query = msgspec.convert(document, RawQuery)
    except msgspec.ValidationError as error:
        raise ContractError(f"not a raw query: {error}") from None
    if query.event_time is None:
        return query
    try:
        return msgspec.structs.replace(query, event_time=query.event_time.astimezone(UTC))
    except OverflowError:
        raise ContractError("not a raw query: outside the years 1 to 9999 in UTC - at `$.event_time`") from None


def event_id_of(value: bytes | None) -> str | None:
    """The producer's event id in a value that is no raw query, if it can be made out, for its dead letter."""
    try:
        return msgspec.convert(orjson.loads(value or b""), _Identified).event_id
    except (orjson.JSONDecodeError, msgspec.ValidationError):
        return None


def value_hash(value: bytes | None) -> str:
    """SHA-256 of a record's value, as the ledger has it: with the event id it tells an event from every other."""
    return sha256(value or b"").hexdigest()


class _Identified(msgspec.Struct):
    event_id: EventId


def encode(event: OutputEvent) -> bytes:
    """`event` as JSON, once it has been checked against its own contract.

    Raises:
        ContractError: the event breaks its contract: a bug of ours, or of the model's; names the field.
    """
    document = msgspec.to_builtins(event)
    try:
        msgspec.convert(document, type(event))
    except msgspec.ValidationError as error:
        raise ContractError(f"refused to publish a broken {event.schema}: {error}") from None
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError as error:  # a lone surrogate, which msgspec lets pass
        raise ContractError(f"refused to publish a broken {event.schema}: {error}") from None
