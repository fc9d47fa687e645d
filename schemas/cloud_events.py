"""CloudEvents around a raw event: what of their attributes counts.

    id             the event id, where the data has no `event_id`
    time           the event time, where the data has no `event_time`
    traceparent    the trace, where the record has no header `traceparent`; `tracestate` with it

Structured mode has them in one JSON object with the `data`, binary mode in the record's headers, as `ce_id`. Names of
headers are compared without regard to case. Other attributes do not count.

https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/kafka-protocol-binding.md
https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sluicegate.schemas.headers import Header, Headers

FIELDS: Final[Mapping[str, str]] = {"id": "event_id", "time": "event_time"}
"""The field of a raw event that an attribute stands in for."""

_PREFIX: Final = "ce_"
_STRUCTURED: Final = b"application/cloudevents+json"
_CONTENT_TYPE: Final = "content-type"
_SPECVERSION: Final = b'"specversion"'
_TRACE: Final = ("traceparent", "tracestate")


class _Traced(msgspec.Struct):
    traceparent: str | None = None
    tracestate: str | None = None
    specversion: object = None


_decode_traced: Final = msgspec.json.Decoder(_Traced).decode


def is_envelope(document: Mapping[str, object]) -> bool:
    """Whether a JSON object is a CloudEvent in structured mode that has data, and not a raw event itself."""
    return (
        "specversion" in document
        and ("data" in document or "data_base64" in document)
        and "query" not in document
        and "text" not in document
    )


def complete(event: dict[str, Any], attributes: Mapping[str, object]) -> None:
    """Fill fields that `event`, the data, does not have from the attributes of its CloudEvent."""
    for attribute, field in FIELDS.items():
        if event.get(field) is None and attribute in attributes:
            event[field] = attributes[attribute]


def attributes_of(headers: Headers) -> dict[str, str]:
    """The attributes in the headers of binary mode that stand in for fields; of a repeated one the last.

    Bytes that are not UTF-8 become characters that no field accepts.
    """
    attributes = {}
    for name, value in headers:
        if name[:3].lower() == _PREFIX and value is not None and (attribute := name[3:].lower()) in FIELDS:
            attributes[attribute] = value.decode(errors="surrogateescape")
    return attributes


def trace_headers(headers: Headers, value: bytes | None) -> Headers:
    """`headers`, and where they have no trace, that of the CloudEvent that they or `value` are.

    Structured mode is recognised by its content type, or else by its `specversion`: only such a value is read here.
    """
    found: dict[str, Header] = {}
    structured = False
    for name, given in headers:
        lowered = name.lower()
        if lowered == _TRACE[0]:
            return headers
        if lowered.startswith(_PREFIX) and (attribute := lowered[3:]) in _TRACE:
            found[attribute] = attribute, given
        elif lowered == _CONTENT_TYPE:
            structured = (given or b"").lower().startswith(_STRUCTURED)
    if value and (structured or _SPECVERSION in value):
        try:
            traced = _decode_traced(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return headers
        if traced.specversion is None:
            return headers
        found |= {name: (name, text.encode(errors="replace")) for name in _TRACE if (text := getattr(traced, name))}
    return [*headers, *found.values()] if "traceparent" in found else headers
