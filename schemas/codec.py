"""Bytes to events and back.

Reading a raw query takes one pass of msgspec's JSON decoder. Only what that refuses is read a second time, slowly and
leniently: an optional field that breaks its contract must not cost the user the search.

This is the only decoder of raw queries: the worker, ``sluice gate`` and ``sluice replay`` agree on every byte.
"""

import codecs
import json
import math
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple, NoReturn

import msgspec
import orjson

from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import EventId, OutputEvent, RawQuery
from sluicegate.schemas.payloads import name_document, name_payload
from sluicegate.schemas.reason_codes import DROPPED, ReasonCode

_OPTIONAL: Final = tuple(name for name in RawQuery.__struct_fields__ if name != "query")
_LONGEST_INTEGER: Final = 20
"""Digits. No field allows more, and Python takes quadratic time to read very long ones."""
_ESCAPED_BYTES: Final = range(0xDC80, 0xDD00)
"""The code points that stand for bytes which are not UTF-8 (PEP 383)."""


class _Identified(msgspec.Struct):
    event_id: EventId | None = None


_decode_raw: Final = msgspec.json.Decoder(RawQuery).decode
_decode_identified: Final = msgspec.json.Decoder(_Identified).decode


class Document(NamedTuple):
    """A JSON document that was read leniently, see `decode_document`."""

    content: object
    is_utf8: bool


class DecodedQuery(NamedTuple):
    """A raw query, and a reason code for each optional field that was dropped."""

    query: RawQuery
    codes: tuple[ReasonCode, ...]


def decode_raw_query(value: bytes | None) -> DecodedQuery:
    """The raw query in a record's value. A byte order mark is accepted.

    Raises:
        ContractError: no value (a tombstone), not JSON, or `query` is missing or unusable. The message names the field
            or says what the bytes are instead, and never repeats them.
    """
    if value is None:
        raise ContractError("the record has no value (a tombstone): send a JSON object with a `query`")
    value = value.removeprefix(codecs.BOM_UTF8)
    try:
        query = _decode_raw(value)
        if query.event_time is not None:
            query = msgspec.structs.replace(query, event_time=query.event_time.astimezone(UTC))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError):
        pass
    else:
        return DecodedQuery(query, ())
    return raw_query_of(decode_document(value))


def raw_query_of(document: Document) -> DecodedQuery:
    """The raw query in a document that `decode_document` read.

    Raises:
        ContractError: `query` is missing or unusable.
    """
    content = document.content
    fields: dict[str, Any] = {}
    dropped = []
    if isinstance(content, dict):
        if isinstance(query := content.get("query"), str):
            fields["query"] = _repaired(query, is_utf8=document.is_utf8)
        elif "query" in content:
            fields["query"] = query
        for name in _OPTIONAL:
            if name in content:
                try:
                    fields[name] = _optional(name, content[name])
                except (msgspec.ValidationError, OverflowError, UnicodeEncodeError):
                    dropped.append(DROPPED.code(name))
    try:
        return DecodedQuery(msgspec.convert(fields if isinstance(content, dict) else content, RawQuery), tuple(dropped))
    except msgspec.ValidationError as error:
        hint = name_document(content)
        raise ContractError(f"not a raw query: {error}{f': {hint}' if hint else ''}") from None


def decode_document(value: bytes) -> Document:
    """The JSON document in `value`, read leniently.

    A lone surrogate escape stays a lone surrogate, a byte that is not UTF-8 becomes one, and a number that is too long
    becomes infinity: whoever reads the field decides whether it can be used.

    Raises:
        ContractError: not JSON. The message says what the bytes are instead, if that is known.
    """
    value = value.removeprefix(codecs.BOM_UTF8)
    try:
        text, is_utf8 = value.decode(), True
    except UnicodeDecodeError:
        text, is_utf8 = value.decode("utf-8", "surrogateescape"), False
    try:
        content = json.loads(text, parse_int=_integer, parse_constant=_refuse_constant)
    except RecursionError:
        raise ContractError("not JSON that can be read: it is nested deeper than the depth limit") from None
    except ValueError as error:
        what = name_payload(value)
        raise ContractError(f"not JSON: {what}" if what else f"not JSON: {error}") from None
    return Document(content, is_utf8)


def event_id_of(value: bytes | None) -> str | None:
    """The producer's event id in `value`, even if that is not a raw query; None if there is no usable one."""
    if not value:
        return None
    try:
        return _decode_identified(value).event_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        content = decode_document(value).content
    except ContractError:
        return None
    try:
        event_id = _optional("event_id", content["event_id"]) if isinstance(content, dict) else None
        return None if event_id is None else str(event_id)
    except (KeyError, msgspec.ValidationError, UnicodeEncodeError):
        return None


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
    except orjson.JSONEncodeError as error:  # a lone surrogate, which msgspec accepts
        raise ContractError(f"refused to publish a broken {event.schema}: {error}") from None


def _optional(name: str, given: object) -> object:
    """The optional field `name`, checked. Raises what `raw_query_of` catches."""
    if isinstance(given, str):
        given.encode()  # refuses lone surrogates
    checked = getattr(msgspec.convert({"query": "-", name: given}, RawQuery), name)
    return checked.astimezone(UTC) if isinstance(checked, datetime) else checked


def _repaired(query: str, *, is_utf8: bool) -> str:
    """`query` with a replacement character for each lone surrogate. Normalisation removes it, with a reason code."""
    if query.isascii():
        return query
    if not is_utf8 and any(ord(character) in _ESCAPED_BYTES for character in query):
        raise ContractError("not a raw query: not UTF-8 - at `$.query`")
    return query.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else math.inf


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
