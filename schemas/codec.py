"""Bytes to events and back.

Reading a raw query or a raw action takes one pass of msgspec's JSON decoder. Only what that refuses is looked at again:
what is around the JSON is taken off (`payloads.py`, `cloud_events.py`), and the rest is read slowly and leniently. An
optional field that breaks its contract must not cost the user the search.

These are the only decoders of both: the worker, ``sluice gate`` and ``sluice replay`` agree on every byte.
"""

import base64
import binascii
import codecs
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Final, Generic, NamedTuple, NoReturn, TypeVar

import msgspec
import orjson

from sluicegate.schemas import cloud_events
from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import EventId, OutputEvent, RawAction, RawQuery
from sluicegate.schemas.headers import Headers
from sluicegate.schemas.payloads import InputFormat, name_document, name_payload, unwrap
from sluicegate.schemas.reason_codes import DROPPED, ReasonCode

_LONGEST_INTEGER: Final = 20
"""Digits. No field allows more, and Python takes quadratic time to read very long ones."""
_ESCAPED_BYTES: Final = range(0xDC80, 0xDD00)
"""The code points that stand for bytes which are not UTF-8 (PEP 383)."""


class _Identified(msgspec.Struct):
    event_id: EventId | None = None
    specversion: msgspec.Raw | None = None
    """Of a CloudEvent: its id counts, too."""


RawT = TypeVar("RawT", RawQuery, RawAction)


@dataclass(frozen=True)
class _RawEvent(Generic[RawT]):
    """How a raw event is read. A field that is not `needed` is dropped if it breaks its contract."""

    kind: type[RawT]
    name: str
    text: str
    """The field that has the user's words."""
    needed: frozenset[str]
    hint: str
    """A whole event, for the error."""

    @cached_property
    def decode(self) -> Callable[[bytes], RawT]:
        return msgspec.json.Decoder(self.kind).decode


_QUERY: Final = _RawEvent(RawQuery, "raw query", "query", frozenset({"query"}), '{"query": "…"}')
_ACTION: Final = _RawEvent(
    RawAction,
    "raw action",
    "text",
    frozenset({"text", "schema", "schema_id", "schema_version"}),
    '{"text": "…", "schema_id": "…"}',
)
_decode_identified: Final = msgspec.json.Decoder(_Identified).decode
_NOT_DECODED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError)


class Document(NamedTuple):
    """A JSON document that was read leniently, see `decode_document`."""

    content: object
    is_utf8: bool
    layers: tuple[str, ...] = ()
    """What was around it, from the outside, for people."""


class DecodedQuery(NamedTuple):
    """A raw query, and a reason code for each optional field that was dropped."""

    query: RawQuery
    codes: tuple[ReasonCode, ...]


class DecodedAction(NamedTuple):
    """A raw action, and a reason code for each optional field that was dropped."""

    action: RawAction
    codes: tuple[ReasonCode, ...]


def decode_raw_query(value: bytes | None, headers: Headers = (), input_format: InputFormat = "auto") -> DecodedQuery:
    """The raw query in a record's value. A byte order mark is accepted.

    An id and a time that the value does not have are those of a CloudEvent in binary mode, whose attributes are in
    `headers`.

    Raises:
        ContractError: no value (a tombstone), not JSON, or `query` is missing or unusable. The message names the field
            or says what the bytes are instead, and never repeats them.
    """
    return DecodedQuery(*_decoded(value, headers, _QUERY, input_format))


def decode_raw_action(value: bytes | None, headers: Headers = (), input_format: InputFormat = "auto") -> DecodedAction:
    """The raw action in a record's value; as `decode_raw_query`.

    Raises:
        ContractError: no value (a tombstone), not JSON, or the text or the schema is missing or unusable. The message
            names the field or says what the bytes are instead, and never repeats them.
    """
    return DecodedAction(*_decoded(value, headers, _ACTION, input_format))


def raw_query_of(document: Document) -> DecodedQuery:
    """The raw query in a document that `decode_document` read.

    Raises:
        ContractError: `query` is missing or unusable.
    """
    return DecodedQuery(*_read(document, _QUERY))


def _decoded(
    value: bytes | None, headers: Headers, event: _RawEvent[RawT], input_format: InputFormat
) -> tuple[RawT, tuple[ReasonCode, ...]]:
    if value is None:
        raise ContractError(f"the record has no value (a tombstone): send a JSON object, {event.hint}")
    codes: tuple[ReasonCode, ...] = ()
    try:
        decoded = _decoded_fast(value, event)
    except _NOT_DECODED:
        decoded, codes = _decoded_unwrapped(value, event, input_format)
    if headers and (attributes := cloud_events.attributes_of(headers)):
        decoded, dropped = _completed(decoded, attributes)
        codes += dropped
    return decoded, codes


def _decoded_fast(value: bytes, event: _RawEvent[RawT]) -> RawT:
    """The event in plain JSON that keeps its contract. Raises one of `_NOT_DECODED` if it is anything else."""
    decoded = event.decode(value.removeprefix(codecs.BOM_UTF8))
    if decoded.event_time is not None:
        decoded = msgspec.structs.replace(decoded, event_time=decoded.event_time.astimezone(UTC))
    return decoded


def _decoded_unwrapped(
    value: bytes, event: _RawEvent[RawT], input_format: InputFormat
) -> tuple[RawT, tuple[ReasonCode, ...]]:
    text, layers = unwrap(value)
    if layers and input_format == "auto":
        try:
            return _decoded_fast(text, event), ()
        except _NOT_DECODED:
            pass
    document = decode_document(value, event.hint)
    if document.layers and input_format == "json":
        raise ContractError(f"{', '.join(document.layers)}: set SLUICE_INPUT_FORMAT=auto, or send plain JSON in UTF-8")
    return _read(document, event)


def _completed(event: RawT, attributes: dict[str, str]) -> tuple[RawT, tuple[ReasonCode, ...]]:
    """`event` with what its CloudEvent's headers say and it does not, and the reason codes of what they say wrongly."""
    found: dict[str, Any] = {}
    dropped = []
    for attribute, given in attributes.items():
        field = cloud_events.FIELDS[attribute]
        if getattr(event, field) is None:
            try:
                found[field] = _optional(field, given)
            except (msgspec.ValidationError, OverflowError, UnicodeEncodeError):
                dropped.append(DROPPED.code(field))
    return (msgspec.structs.replace(event, **found) if found else event), tuple(dropped)


def _read(document: Document, event: _RawEvent[RawT]) -> tuple[RawT, tuple[ReasonCode, ...]]:
    """The event in `document`, and the reason codes of its fields that were dropped."""
    content = document.content
    fields: dict[str, Any] = {}
    dropped = []
    if isinstance(content, dict):
        for name in event.kind.__struct_fields__:
            if name not in content:
                continue
            given = content[name]
            if name == event.text and isinstance(given, str):
                given = _repaired(given, event, is_utf8=document.is_utf8)
            if name in event.needed:
                fields[name] = given
                continue
            try:
                fields[name] = _optional(name, given)
            except (msgspec.ValidationError, OverflowError, UnicodeEncodeError):
                dropped.append(DROPPED.code(name))
    try:
        return msgspec.convert(fields if isinstance(content, dict) else content, event.kind), tuple(dropped)
    except msgspec.ValidationError as error:
        hint = name_document(content)
        within = "".join(f"{layer}: " for layer in document.layers)
        raise ContractError(f"{within}not a {event.name}: {error}{f': {hint}' if hint else ''}") from None


def decode_document(value: bytes, hint: str = _QUERY.hint) -> Document:
    """The JSON document in `value`, without what is around it, read leniently. `hint` is a whole event, for the error.

    A lone surrogate escape stays a lone surrogate, a byte that is not UTF-8 becomes one, and a number that is too long
    becomes infinity: whoever reads the field decides whether it can be used.

    Raises:
        ContractError: not JSON. The message says what the bytes are instead, if that is known.
    """
    document = _parsed(value, hint)
    envelope = document.content
    if not (isinstance(envelope, dict) and cloud_events.is_envelope(envelope)):
        return document
    if "data" in envelope:
        content, is_utf8 = envelope["data"], document.is_utf8
    else:
        content, is_utf8, _ = _parsed(_from_base64(envelope["data_base64"]), hint)
    if isinstance(content, dict):
        cloud_events.complete(content, envelope)
    return Document(content, is_utf8, (*document.layers, "CloudEvents"))


def _parsed(value: bytes, hint: str) -> Document:
    value, layers = unwrap(value)
    within = "".join(f"{layer}: " for layer in layers)
    value = value.removeprefix(codecs.BOM_UTF8)
    try:
        text, is_utf8 = value.decode(), True
    except UnicodeDecodeError:
        text, is_utf8 = value.decode("utf-8", "surrogateescape"), False
    try:
        content = json.loads(text, parse_int=_integer, parse_constant=_refuse_constant)
    except RecursionError:
        raise ContractError(f"{within}not JSON that can be read: it is nested deeper than the depth limit") from None
    except ValueError as error:
        what = name_payload(value, hint)
        raise ContractError(f"{within}not JSON: {what or error}") from None
    return Document(content, is_utf8, layers)


def _from_base64(data: object) -> bytes:
    try:
        return base64.b64decode(data, validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        raise ContractError("CloudEvents: `data_base64` is not base64") from None


def event_id_of(value: bytes | None, headers: Headers = ()) -> str | None:
    """The producer's event id in a record, even if that is not a raw event; None if there is no usable one."""
    event_id = _event_id_in(value) if value else None
    if event_id is None and headers and (attributes := cloud_events.attributes_of(headers)):
        event_id = _usable_id(attributes.get("id"))
    return event_id


def _event_id_in(value: bytes) -> str | None:
    try:
        identified = _decode_identified(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    else:
        if identified.specversion is None or identified.event_id is not None:
            return identified.event_id
    try:
        content = decode_document(value).content
    except ContractError:
        return None
    return _usable_id(content.get("event_id")) if isinstance(content, dict) else None


def _usable_id(given: object) -> str | None:
    try:
        event_id = _optional("event_id", given)
    except (msgspec.ValidationError, UnicodeEncodeError):
        return None
    return None if event_id is None else str(event_id)


def value_hash(value: bytes | None) -> str:
    """SHA-256 of a record's value, as in the ledger. Together with the event id it identifies an event."""
    return sha256(value or b"").hexdigest()


def encode(event: OutputEvent) -> bytes:
    """`event` as JSON, checked against its own contract.

    Raises:
        ContractError: the event breaks its contract: a fault of Sluicegate or of the model. Names the field.
    """
    document = msgspec.to_builtins(event)
    try:
        msgspec.convert(document, type(event))
    except msgspec.ValidationError as error:
        raise ContractError(f"refused to publish a broken {event.schema}: {error}") from None
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        pass
    try:  # a formatted value may have an integer of more than 64 bits
        return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:  # a lone surrogate, which msgspec accepts
        raise ContractError(f"refused to publish a broken {event.schema}: {error}") from None


def _optional(name: str, given: object) -> object:
    """The optional field `name`, which every raw event has, checked. Raises what `_read` catches."""
    if isinstance(given, str):
        given.encode()  # refuses lone surrogates
    checked = getattr(msgspec.convert({"query": "-", name: given}, RawQuery), name)
    return checked.astimezone(UTC) if isinstance(checked, datetime) else checked


def _repaired(text: str, event: _RawEvent[RawT], *, is_utf8: bool) -> str:
    """`text` with a replacement character for each lone surrogate. Normalisation removes it, with a reason code."""
    if text.isascii():
        return text
    if not is_utf8 and any(ord(character) in _ESCAPED_BYTES for character in text):
        raise ContractError(f"not a {event.name}: not UTF-8 - at `$.{event.text}`")
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else math.inf


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
